"""Images that a run has learned from or is tested on are known under any name and format."""

from __future__ import annotations

import pytest
from PIL import Image

from zoo.data import MVTecAD2Layout
from zoo.data.folders import ImageFolders
from zoo.data.known_images import check_no_test_folder, find_known, images_of_tests
from zoo.utils.errors import ZooError


def test_images_of_tests_are_those_of_all_objects_and_splits(mini, write_object):
    write_object(mini, "other")
    found = images_of_tests(mini)
    assert len(found) == 2 * (2 + 2 + 2 + 4 + 4)  # good, bad, masks, private, private mixed
    assert not [path for path in found if "train" in path.parts or "validation" in path.parts]


def test_the_same_pixels_are_the_same_image(tmp_path, texture, write_image):
    known = write_image(tmp_path / "known.png", texture(1))
    write_image(tmp_path / "small.png", texture(1, (20, 20)))
    (tmp_path / "damaged.png").write_bytes(known.read_bytes()[:60])
    with Image.open(known) as image:
        image.save(tmp_path / "copy.tiff", compression="tiff_lzw")
    other = write_image(tmp_path / "other.png", texture(2))
    all_known = [tmp_path / "small.png", tmp_path / "damaged.png", known]
    assert find_known([tmp_path / "copy.tiff", other], all_known) == {tmp_path / "copy.tiff": known}
    assert find_known([other], all_known) == {}
    with pytest.raises(ZooError, match=r"damaged\.png cannot be read"):
        find_known([tmp_path / "damaged.png"], [known])


@pytest.mark.parametrize("split", ["test_public/good", "test_private", "test_private_mixed"])
def test_normal_images_to_fit_on_are_no_test_images(mini, tmp_path, split):
    with pytest.raises(ZooError, match=r"is part of the test split .*: test images decide nothing"):
        ImageFolders(mini / "part" / split)
    (tmp_path / "mine").mkdir()
    for path in (mini / "part" / split).iterdir():
        (tmp_path / "mine" / path.name).symlink_to(path)
    with pytest.raises(ZooError, match="is part of the test split"):
        ImageFolders(tmp_path / "mine")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_links_to_test_images_are_not_learned_from(mini, split):
    link = mini / "part" / split / "good" / "009_regular.png"
    link.symlink_to(mini / "part" / "test_private" / "000_regular.png")
    with pytest.raises(ZooError, match="is part of the test split"):
        MVTecAD2Layout(mini, "part").listed(split)
    link.unlink()
    assert MVTecAD2Layout(mini, "part").listed(split)


def test_other_folders_called_test_are_nobodys_split(tmp_path, write_image, texture):
    image = write_image(tmp_path / "part" / "test" / "good" / "0.png", texture(0))
    check_no_test_folder([image])
    (tmp_path / "part" / "train" / "good").mkdir(parents=True)  # the layout of MVTec AD
    with pytest.raises(ZooError, match="is part of the test split"):
        check_no_test_folder([image])
