"""Folders as people have them: what counts as an image, what is left out, which mask fits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zoo.data.listing import copies, few, find_images, match_masks, object_name
from zoo.utils.errors import ZooError


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "shots").mkdir()
    return tmp_path / "shots"


def touch(folder: Path, *names: str) -> list[Path]:
    """Make empty files: nothing here decodes an image."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def names(folder: Path, **options) -> list[str]:
    found = find_images(folder, **options).images
    return [path.relative_to(folder).as_posix() for path in found]


def test_names_folders_and_endings_are_free(folder):
    touch(folder, "b.JPG", "a.png", "x/y/IMG 1.jpeg", "x/Ö.Tiff", "z.bmp", "c.tif")
    wanted = ["a.png", "b.JPG", "c.tif", "z.bmp", "x/Ö.Tiff", "x/y/IMG 1.jpeg"]
    assert names(folder) == wanted


def test_notes_and_hidden_files_are_not_worth_a_word(folder):
    touch(folder, "1.png", "._1.jpg", ".DS_Store", ".trash/2.png", "Thumbs.db", "notes.txt", "3")
    found = find_images(folder)
    assert [path.name for path in found.images] == ["1.png"]
    assert found.notices() == []


def test_a_hidden_folder_may_be_asked_for(folder):
    touch(folder / ".secret", "1.png")
    assert names(folder / ".secret") == ["1.png"]


def test_videos_and_formats_that_are_not_read_are_named(folder):
    touch(folder, "1.png", "clip.MOV", *(f"IMG_{index}.HEIC" for index in range(5)))
    assert find_images(folder).notices() == [
        "left out clip.MOV: video, of which ffmpeg makes images",
        "left out IMG_0.HEIC, IMG_1.HEIC, IMG_2.HEIC and 2 more: a format that is not read here; "
        "convert to PNG or JPEG",
    ]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([], r"no image in .*shots: they end in \.bmp, \.jpeg"),
        (["notes.txt", ".DS_Store"], "they end in"),
        (["clip.mp4"], r"no image in .*clip\.mp4: video, of which ffmpeg makes images"),
        (["a.heic"], r"no image in .*a\.heic: .*convert to PNG or JPEG"),
    ],
)
def test_a_folder_without_images_says_what_is_there(folder, made, says):
    touch(folder, *made)
    with pytest.raises(ZooError, match=says):
        find_images(folder)


def test_what_is_no_folder_is_said(folder):
    [path] = touch(folder, "1.png")
    with pytest.raises(ZooError, match="a file, not a folder"):
        find_images(path)
    with pytest.raises(ZooError, match="no such folder"):
        find_images(folder / "typo")


def test_folders_of_other_things_do_not_count(folder):
    touch(folder, "1.png", "bad/2.png", "bad/deep/3.png", "badly/4.png")
    assert names(folder, without=[folder / "bad"]) == ["1.png", "badly/4.png"]
    # The folder itself and those above it are no part of what lies below it.
    assert names(folder / "bad", without=[folder, folder / "bad"]) == ["2.png", "deep/3.png"]


def test_a_link_that_leads_back_ends(folder):
    touch(folder, "1.png", "sub/2.png")
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to(".", target_is_directory=True)
    assert names(folder) == ["1.png", "sub/2.png"]


def test_links_to_other_folders_are_followed_once(folder, tmp_path):
    touch(tmp_path / "elsewhere", "2.png")
    for name in ("monday", "tuesday"):
        (folder / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(folder) == ["monday/2.png"]
    with pytest.raises(ZooError, match="no image"):
        find_images(folder, without=[tmp_path / "elsewhere"])


def test_a_link_may_be_given_itself(folder, tmp_path):
    touch(folder, "1.png")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert names(tmp_path / "link") == ["1.png"]


def test_masks_beside_their_images_are_no_images(folder):
    touch(folder, "7.jpg", "7_mask.png", "8.jpg", "8.jpg.png", "cap_label.jpg")
    found = find_images(folder)
    assert [path.name for path in found.images] == ["7.jpg", "8.jpg", "cap_label.jpg"]
    assert [path.name for path in found.masks] == ["7_mask.png", "8.jpg.png"]
    [notice] = found.notices()
    assert notice.startswith("left out 7_mask.png, 8.jpg.png: masks of the images beside them")


@pytest.mark.parametrize(
    "mask",
    [
        *("a/7.png", "a/7_mask.PNG", "A/7.bmp", "7.png", "x/y/7_GT.png"),
        *("7-mask.png", "7_ground_truth.png", "7_label.tif", "7.jpg.png"),
    ],
)
def test_a_mask_has_the_name_or_the_place_of_its_image(folder, tmp_path, mask):
    images = touch(folder, "a/7.jpg", "a/8.jpg")
    [made] = touch(tmp_path / "masks", mask)
    assert match_masks(images, folder, tmp_path / "masks") == {images[0]: made}


def test_the_same_place_comes_first(folder, tmp_path):
    images = touch(folder, "a/7.jpg", "b/7.jpg")
    masks = touch(tmp_path / "masks", "a/7.png", "b/7_mask.png")
    assert match_masks(images, folder, tmp_path / "masks") == dict(zip(images, masks, strict=True))


def test_a_mask_of_another_place_is_not_borrowed(folder, tmp_path):
    images = touch(folder, "a/7.jpg", "b/7.jpg")
    [mask] = touch(tmp_path / "masks", "a/7.png")
    assert match_masks(images, folder, tmp_path / "masks") == {images[0]: mask}


def test_masks_may_lie_beside_their_images(folder):
    images = touch(folder, "7.jpg", "8.jpg")
    masks = touch(folder, "7_mask.png", "8_mask.png")
    assert match_masks(images, folder, folder) == dict(zip(images, masks, strict=True))


def test_folders_inside_that_of_the_masks_need_not_count(folder):
    images = touch(folder, "bad/7.png")
    masks = touch(folder, "7.png", "good/7.png")
    found = match_masks(images, folder / "bad", folder, without=[folder / "good"])
    assert found == {images[0]: masks[0]}


@pytest.mark.parametrize(
    ("images", "masks", "says"),
    [
        (["7.jpg"], ["7.png", "7_mask.png"], r"two masks fit .*7\.jpg: .*7\.png and .*7_mask\.png"),
        (["7.jpg"], ["x/7.png", "y/7.png"], r"two masks fit .*7\.jpg"),
        (["a/7.jpg", "b/7.jpg"], ["7.png"], r"mask .*7\.png fits .*a/7\.jpg and .*b/7\.jpg"),
        (["7.jpg", "7.png"], ["7.png"], r"mask .*7\.png fits .*7\.jpg and .*7\.png"),
        (["7.jpg"], ["9.png"], r"no mask in .*masks fits .*7\.jpg wants 7\.png or 7_mask\.png"),
    ],
)
def test_masks_that_cannot_be_told_apart_are_one_line(folder, tmp_path, images, masks, says):
    images = touch(folder, *images)
    touch(tmp_path / "masks", *masks)
    with pytest.raises(ZooError, match=says) as error:
        match_masks(images, folder, tmp_path / "masks")
    assert "\n" not in str(error.value)


def test_copies_are_found_by_their_bytes(folder):
    paths = touch(folder, "a.bmp", "b.bmp", "c.bmp")
    paths[0].write_bytes(bytes(100_000))
    shutil.copy(paths[0], paths[1])
    # The same size, and the difference lies where a fingerprint does not look.
    paths[2].write_bytes(bytes(20_000) + b"x" + bytes(79_999))
    assert copies(paths) == {paths[1]: paths[0]}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/x/shots", "shots"),
        ("/x/shots/good", "shots"),
        ("/x/shots/OK", "shots"),
        ("/good", "good"),
        ("/", "images"),
    ],
)
def test_a_folder_called_good_has_the_name_of_its_parent(folder, name):
    assert object_name(folder) == name


def test_a_few_names_stand_for_many():
    paths = [Path(f"{index}.png") for index in range(5)]
    assert few(paths[:2]) == "0.png, 1.png"
    assert few(paths) == "0.png, 1.png, 2.png and 2 more"
