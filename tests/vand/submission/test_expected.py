"""The files that the server of MVTec AD 2 expects, and those of any other data set."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import (
    MAPS,
    MASKS,
    Expected,
    Image,
    check_published,
    official,
    on_disk,
)


def test_the_official_tree_has_4090_images_of_eight_objects():
    """Counts of arXiv 2509.17615; 32.74 GB of uncompressed maps is the dossier's own sum."""
    expected = official()
    assert len(expected.images) == 4090
    assert len(expected.by_place) == 8180
    assert len(expected.objects) == 8
    assert 2 * expected.n_pixels == pytest.approx(32.74e9, rel=1e-3)
    assert expected.by_place[f"{MAPS}/can/test_private/320_regular.tiff"].native_size == (
        1024,
        2232,
    )
    assert f"{MASKS}/walnuts/test_private_mixed/227_mixed.png" in expected.by_place
    assert f"{MASKS}/walnuts/test_private_mixed/228_mixed.png" not in expected.by_place


def test_another_data_set_is_read_from_disk(mini):
    expected = on_disk(mini)
    assert [image.place(MAPS) for image in expected.images] == [
        f"anomaly_images/part/{split}/{number:03d}_{light}.tiff"
        for split, light in (("test_private", "regular"), ("test_private_mixed", "mixed"))
        for number in range(4)
    ]
    assert {image.native_size for image in expected.images} == {(48, 64)}
    assert not check_published(expected)


def test_a_missing_split_is_said(mini):
    shutil.rmtree(mini / "part" / "test_private_mixed")
    with pytest.raises(ZooError, match="has no test_private_mixed images"):
        on_disk(mini)


def test_two_images_that_would_share_a_file(mini):
    shutil.copy(
        mini / "part/test_private/000_regular.png", mini / "part/test_private/000_regular.jpg"
    )
    with pytest.raises(ZooError, match="differ in their suffix only"):
        on_disk(mini)


def test_a_copy_of_mvtec_ad_2_must_be_whole():
    whole = official()
    assert check_published(whole)
    partial = Expected("DIR", tuple(i for i in whole.images if i.object_name != "vial"))
    with pytest.raises(ZooError, match=r"DIR lacks vial/test_private/000_regular, .* and 549 more"):
        check_published(partial)
    first = whole.images[0]
    resized = Expected("DIR", (replace(first, native_size=(9, 9)), *whole.images[1:]))
    with pytest.raises(ZooError, match="DIR has in another size can/test_private/000_regular"):
        check_published(resized)
    more = Expected("DIR", (*whole.images, Image("spoon", "a", "b", (1, 1))))
    with pytest.raises(ZooError, match="DIR holds besides spoon/a/b"):
        check_published(more)
