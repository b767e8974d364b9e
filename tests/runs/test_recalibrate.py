"""Old thresholds are checked with images that they have not seen, whichever folder these lie in."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from zoo.cli import main
from zoo.data.known_images import image_digests
from zoo.postprocess import Quantile
from zoo.postprocess.false_alarms import count_false_alarms, expected_false_alarms
from zoo.runs.calibrations import CalibrationSource, given_images, recalibrate
from zoo.utils.errors import ZooError

RULE = Quantile(q=0.99, min_area_px=1)


@pytest.fixture
def maps() -> list[np.ndarray]:
    """Return score maps; the later ones are brighter, as under a new lamp."""
    random = np.random.default_rng(0)
    return [random.random((16, 16), np.float32) + (index >= 4) for index in range(8)]


def old_of(maps, images: str):
    """Return what held before, set by the first four."""
    return replace(RULE(maps[:4], "shots"), images=tuple(images))


def false_alarms_of(maps, images: str, old):
    """Return the false alarms of the old thresholds among images with these digests."""
    source = CalibrationSource("shots", tuple(sorted(images)), True, tuple(images))
    before, _ = recalibrate(RULE, maps, source, old)
    return before.false_alarms


def test_new_images_in_the_same_folder_are_new(maps):
    old = old_of(maps, "abcd")
    found = false_alarms_of(maps[4:], "efgh", old)  # as many, as large, of the same name
    assert found == count_false_alarms(old, maps[4:], held_out=True)
    assert found.n_alarms == 4


def test_the_same_images_are_cross_fitted(maps):
    old = old_of(maps, "abcd")
    assert false_alarms_of(maps[:4], "abcd", old) == expected_false_alarms(RULE, maps[:4])


def test_of_both_kinds_the_new_ones_count(maps):
    found = false_alarms_of([maps[4], maps[0], maps[5], maps[1]], "eafb", old_of(maps, "abcd"))
    assert (found.n_images, found.n_alarms, found.held_out) == (2, 2, True)


@pytest.mark.parametrize("known", ["", "abcdxyz"])
def test_thresholds_that_may_have_seen_all_of_them_are_told_as_such(maps, known):
    found = false_alarms_of(maps[:4], "abcd", old_of(maps, known))
    assert not found.held_out
    assert found.n_images == 4


@pytest.fixture
def good(tmp_path, texture, write_image):
    """Return a folder of three images, two of them there twice."""
    folder = tmp_path / "good"
    for index in range(3):
        write_image(folder / f"{index}.bmp", texture(index))
    shutil.copy(folder / "0.bmp", folder / "copy.bmp")
    shutil.copy(folder / "0.bmp", folder / "another.bmp")
    (folder / "link.bmp").symlink_to("1.bmp")
    return folder


def test_an_image_that_is_there_twice_sets_a_threshold_once(good):
    images, said = given_images(good)
    assert len(images) == 3
    assert len(image_digests(images)) == 3
    assert said == ["left out another.bmp, copy.bmp, link.bmp: copies of other normal images"]
    for name in ("1.bmp", "2.bmp", "link.bmp"):
        (good / name).unlink()
    with pytest.raises(ZooError, match=r"1 image in .*: a threshold needs 2 normal ones"):
        given_images(good)


def test_pick_counts_an_image_once(good, tmp_path, capsys):
    for index in range(8):
        shutil.copy(good / "2.bmp", good / f"again{index}.bmp")
    words = ["pick", "--good", str(good), "--budget", "50ms,2GB", "--out", str(tmp_path / "picked")]
    for package in ("onnx", "onnxscript", "openvino", "nncf"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    assert main(words) == 1
    printed = capsys.readouterr().err
    assert "3 normal images: zoo pick needs 8 at least" in printed
    assert "copies of other normal images" in printed
