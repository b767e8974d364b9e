"""The datamodule of your own images: splits, draws, masks, and refusals before any fit."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.v2 import Compose, Resize

from zoo.data import ImageFolders
from zoo.utils.errors import ZooError

SIZE = (48, 64)


@pytest.fixture
def shots(tmp_path, texture, write_image):
    """Return a folder of 12 normal images and 3 bad ones."""
    for index in range(12):
        day = "monday" if index < 6 else "tuesday"
        write_image(tmp_path / f"shots/good/{day}/IMG_{index:02d}.JPG", texture(index, SIZE))
    for index in range(3):
        write_image(tmp_path / f"shots/bad/IMG_{index}.png", texture(50 + index, SIZE))
    return tmp_path / "shots"


@pytest.fixture
def masks(shots, tmp_path):
    """Return a folder with a mask for each anomalous image: class 1 in a corner."""
    (tmp_path / "masks").mkdir()
    for index in range(3):
        values = np.zeros(SIZE, np.uint8)
        values[:9, :9] = 1
        Image.fromarray(values).save(tmp_path / f"masks/IMG_{index}_mask.png")
    return tmp_path / "masks"


def paths(data, split):
    return [sample.image_path for sample in data.listed(split)]


def splits(data):
    return ["train", "validation", *data.test_splits()]


def every(data):
    return [path for split in splits(data) for path in paths(data, split)]


def test_without_anomalous_images_there_is_no_test_split(shots):
    data = ImageFolders(shots / "good")
    assert len(data.listed("train")) == 9
    assert len(data.listed("validation")) == 3
    assert data.test_splits() == []
    assert data.object_name == "shots"
    with pytest.raises(ZooError, match="no split 'test'; choose from train, validation"):
        data.listed("test")


def test_with_anomalous_images_some_good_ones_test_too(shots):
    data = ImageFolders(shots / "good", shots / "bad")
    assert [len(data.listed(split)) for split in ("train", "validation", "test")] == [7, 3, 5]
    assert data.test_splits() == ["test"]
    assert [sample.label for sample in data.listed("test")] == [0, 0, 1, 1, 1]
    assert all(sample.label == 0 for sample in data.listed("train") + data.listed("validation"))
    assert len(set(every(data))) == len(every(data)) == 15
    assert (
        "12 normal images: 7 to learn from, 3 for the threshold, 2 to test beside 3 anomalous ones "
        "(without --bad these 2 would be learnt from)" in (data.notices)
    )


@pytest.mark.parametrize(("n_good", "bad"), [(2, False), (3, True), (4, True)])
def test_few_normal_images_still_fill_every_split(shots, n_good, bad):
    for path in sorted((shots / "good").rglob("*.JPG"))[n_good:]:
        path.unlink()
    data = ImageFolders(shots / "good", shots / "bad" if bad else None)
    assert all(data.listed(split) for split in splits(data))
    assert any("few normal images" in notice for notice in data.notices)


@pytest.mark.parametrize(
    ("n_good", "bad", "says"),
    [
        (1, False, r"1 normal image in .*good: at least 2 are needed, to learn from, to calibrate"),
        (2, True, r"2 normal images in .*: at least 3 are needed, .* and to test"),
    ],
)
def test_too_few_normal_images_are_one_line(shots, n_good, bad, says):
    for path in sorted((shots / "good").rglob("*.JPG"))[n_good:]:
        path.unlink()
    with pytest.raises(ZooError, match=says):
        ImageFolders(shots / "good", shots / "bad" if bad else None)


def test_the_seed_decides_the_splits(shots):
    first, same, other = (ImageFolders(shots / "good", seed=seed) for seed in (1, 1, 2))
    assert every(first) == every(same) != every(other)
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()


def test_a_copy_of_the_folders_is_the_same_data(shots, masks, tmp_path):
    here = ImageFolders(shots / "good", shots / "bad", masks)
    shutil.copytree(shots, tmp_path / "moved", copy_function=shutil.copyfile)
    there = ImageFolders(tmp_path / "moved/good", tmp_path / "moved/bad", masks)
    assert here.fingerprint() == there.fingerprint()
    assert here.fingerprint() != ImageFolders(shots / "good", shots / "bad").fingerprint()


def test_no_more_than_wanted_are_drawn_by_the_seed(shots):
    data = ImageFolders(shots / "good", max_good=8, seed=1)
    assert len(every(data)) == 8
    assert data.notices[0] == (
        "8 of 12 normal images are used, drawn by seed 1; --max-good N takes more"
    )
    assert every(data) == every(ImageFolders(shots / "good", max_good=8, seed=1))
    assert set(every(data)) != set(every(ImageFolders(shots / "good", max_good=8, seed=2)))
    with pytest.raises(ZooError, match="max_good is 1"):
        ImageFolders(shots / "good", max_good=1)


def test_images_that_are_not_drawn_are_not_opened(shots):
    drawn = set(every(ImageFolders(shots / "good", max_good=8)))
    for path in (shots / "good").rglob("*.JPG"):
        if path not in drawn:
            path.write_bytes(b"")
    data = ImageFolders(shots / "good", max_good=8)
    assert set(every(data)) == drawn
    assert data.fingerprint()


def test_anomalous_images_may_lie_among_the_good_ones(shots):
    shutil.move(shots / "bad", shots / "good" / "reject")
    data = ImageFolders(shots / "good", shots / "good" / "reject")
    labels = [sample.label for sample in data.listed("test")]
    assert sorted(labels) == [0, 0, 1, 1, 1]
    assert len(every(data)) == 15


def test_normal_images_may_lie_among_the_bad_ones(shots):
    data = ImageFolders(shots / "good", shots)
    assert sum(sample.label for sample in data.listed("test")) == 3


def test_masks_may_lie_inside_the_bad_folder(shots, masks):
    shutil.move(masks, shots / "bad" / "masks")
    data = ImageFolders(shots / "good", shots / "bad", shots / "bad" / "masks")
    assert sum(sample.mask_path is not None for sample in data.listed("test")) == 3
    assert len(data.listed("test")) == 5


def test_masks_may_lie_beside_the_anomalous_images(shots, masks):
    for path in masks.iterdir():
        shutil.copy(path, shots / "bad")
    data = ImageFolders(shots / "good", shots / "bad", shots / "bad")
    assert sum(sample.mask_path is not None for sample in data.listed("test")) == 3
    assert not any("left out" in notice for notice in data.notices)
    without = ImageFolders(shots / "good", shots / "bad")
    assert len(without.listed("test")) == 5
    named = "IMG_0_mask.png, IMG_1_mask.png, IMG_2_mask.png"
    assert without.notices[:2] == [
        f"left out {named}: masks of the images beside them",
        f"--masks {shots / 'bad'} measures with the masks beside the images",
    ]


@pytest.mark.parametrize("twice", ["bad", "masks"])
def test_one_folder_cannot_be_good_and_something_else(shots, twice):
    options = {"bad": shots / "bad", "masks": None} | {twice: shots / "bad" / ".." / "good"}
    with pytest.raises(ZooError, match="is given twice"):
        ImageFolders(shots / "good", **options)


def test_masks_need_anomalous_images(shots, masks):
    with pytest.raises(ZooError, match=r"masks in .* but no anomalous images"):
        ImageFolders(shots / "good", masks=masks)


def test_one_image_cannot_be_good_and_bad(shots):
    shutil.copy(shots / "good/monday/IMG_03.JPG", shots / "bad/anything.jpg")
    with pytest.raises(ZooError, match=r"bad/anything\.jpg is the same image as .*IMG_03\.JPG"):
        ImageFolders(shots / "good", shots / "bad")


def test_a_copy_of_a_good_image_is_left_out(shots):
    shutil.copy(shots / "good/monday/IMG_03.JPG", shots / "good/monday/IMG_03 (1).JPG")
    data = ImageFolders(shots / "good")
    assert len(every(data)) == 12
    assert len({path.read_bytes() for path in every(data)}) == 12
    assert any("copies of other normal images" in notice for notice in data.notices)


def test_images_without_a_mask_are_named(shots, masks):
    (masks / "IMG_1_mask.png").unlink()
    data = ImageFolders(shots / "good", shots / "bad", masks)
    [notice] = [notice for notice in data.notices if notice.startswith("no mask")]
    assert notice == (
        "no mask for IMG_1.png of 3 anomalous images: figures per pixel need all masks and are "
        "left out"
    )


def test_a_mask_that_marks_nothing_is_named(shots, masks):
    Image.new("L", SIZE[::-1]).save(masks / "IMG_1_mask.png")
    data = ImageFolders(shots / "good", shots / "bad", masks)
    assert "nothing is marked in IMG_1_mask.png: is the defect drawn as 0?" in data.notices


DAMAGE = {
    "empty normal image": (lambda shots, masks: _emptied(shots), r"IMG_03\.JPG is empty"),
    "no image at all": (lambda shots, masks: _text(shots), r"IMG_03\.JPG cannot be read"),
    "mask of another size": (
        lambda shots, masks: Image.new("L", (9, 9)).save(masks / "IMG_1_mask.png"),
        "a mask has the size of its image",
    ),
    "JPEG mask": (lambda shots, masks: _smeared(masks), "save masks as PNG"),
    "truncated mask": (lambda shots, masks: _truncated(masks), r"IMG_1_mask\.png cannot be read"),
}


def _emptied(shots):
    (shots / "good/monday/IMG_03.JPG").write_bytes(b"")


def _text(shots):
    (shots / "good/monday/IMG_03.JPG").write_text("no image")


def _smeared(masks):
    (masks / "IMG_1_mask.png").unlink()
    Image.new("L", SIZE[::-1]).save(masks / "IMG_1_mask.jpg")


def _truncated(masks):
    whole = (masks / "IMG_1_mask.png").read_bytes()
    (masks / "IMG_1_mask.png").write_bytes(whole[:50])


@pytest.mark.parametrize(("damage", "says"), DAMAGE.values(), ids=DAMAGE)
def test_what_would_fail_after_the_fit_fails_before(shots, masks, damage, says):
    damage(shots, masks)
    with pytest.raises(ZooError, match=says) as error:
        ImageFolders(shots / "good", shots / "bad", masks)
    assert "\n" not in str(error.value)


def test_nothing_but_masks_is_decoded(shots, monkeypatch):
    def refused(self):
        pytest.fail("an image was decoded")

    monkeypatch.setattr(Image.Image, "load", refused)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refused)
    ImageFolders(shots / "good", shots / "bad").fingerprint()


def test_any_mode_size_and_orientation_becomes_one_tensor(shots, texture):
    pixels = Image.fromarray(texture(90, SIZE))
    made = shots / "good" / "other"
    made.mkdir()
    pixels.convert("L").save(made / "grey.png")
    pixels.convert("RGBA").save(made / "rgba.png")
    pixels.convert("CMYK").save(made / "cmyk.jpg")
    pixels.resize((90, 70)).save(made / "large.bmp")
    pixels.transpose(Image.Transpose.ROTATE_90).save(made / "upright.tif")
    exif = Image.Exif()
    exif[0x0112] = 6  # taken upright
    pixels.rotate(1).save(made / "turned.jpg", exif=exif)
    grey = np.asarray(pixels.convert("L"), np.uint16) * 257
    Image.fromarray(grey).save(made / "deep.png")
    data = ImageFolders(made, train_batch_size=4)
    data.follow(Compose([Resize((32, 32), antialias=True)]))
    data.setup()
    seen = {}
    for split in ("train", "validation"):
        for batch in data.dataloader(split):
            assert batch.image.shape[1:] == (3, 32, 32)
            assert 0.2 < batch.image.mean() < 0.8
            for path, size in zip(batch.image_path, batch.native_size, strict=True):
                seen[path.rsplit("/", 1)[-1]] = size
    assert seen.pop("large.bmp") == (70, 90)
    assert seen.pop("upright.tif") == SIZE[::-1]
    assert set(seen.values()) == {SIZE}  # the pixels as they are stored, which masks belong to
    assert len(seen) == 5


def test_the_source_of_the_threshold_is_said(shots):
    data = ImageFolders(shots / "good", seed=3)
    assert data.source("validation") == "your normal images, drawn by seed 3"


def test_masks_that_look_inverted_are_said_with_the_cause(tmp_path, texture, write_image):
    for index in range(6):
        write_image(tmp_path / f"good/{index}.png", texture(index))
    mask = np.zeros((48, 64), np.uint8)
    mask[4:20, 8:30] = 9
    for index, each in enumerate((mask, np.where(mask, np.uint8(0), np.uint8(255)))):
        write_image(tmp_path / f"bad/{index}.png", texture(50 + index))
        write_image(tmp_path / f"masks/{index}.png", each)
    folders = ImageFolders(tmp_path / "good", tmp_path / "bad", tmp_path / "masks")
    [said] = [line for line in folders.notices if "inverted" in line]
    assert said.startswith("more than half of the image is marked in 1.png")
