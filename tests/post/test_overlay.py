"""Overlays mark what is defective and leave it visible, at every size of picture."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.postprocess import Calibration, finish
from zoo.postprocess.overlay import MASK_COLOUR, overlay


def judged(size: tuple[int, int], *boxes: tuple[int, int, int, int]):
    """Return image, mask and blobs of a picture with boxes (left, top, width, height) marked."""
    score_map = np.zeros(size, np.float32)
    for rank, (left, top, width, height) in enumerate(boxes, start=1):
        score_map[top : top + height, left : left + width] = 1 / rank
    found = finish(score_map, size, Calibration(threshold=0.01))
    return np.full((*size, 3), 128, np.uint8), found.mask, found.blobs


def changed(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (image != drawn).any(axis=2)


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_a_defect_is_outlined_and_stays_visible(scale):
    size = (300 * scale, 400 * scale)
    box = (100 * scale, 120 * scale, 80 * scale, 60 * scale)
    image, mask, blobs = judged(size, box)
    drawn = overlay(image, mask, blobs)
    inked = changed(image, drawn)
    assert inked[mask].mean() < 0.1
    assert ((drawn == MASK_COLOUR).all(axis=2)).sum() > 100 * scale
    near = np.zeros(size, bool)
    near[box[1] - 40 * scale : box[1] + 70 * scale, box[0] - 20 * scale : box[0] + 90 * scale] = 1
    assert not inked[~near].any()


def test_a_speck_gets_a_box_and_is_not_covered():
    image, mask, blobs = judged((600, 800), (300, 200, 4, 4))
    inked = changed(image, overlay(image, mask, blobs))
    assert inked[mask].mean() < 0.3  # rounded corners
    assert inked.sum() > 3 * changed(image, overlay(image, mask)).sum()


def test_a_large_blob_has_a_box_around_it():
    image, mask, blobs = judged((600, 800), (300, 200, 120, 80))
    inked = changed(image, overlay(image, mask, blobs))
    corner = slice(185, 192), slice(285, 292)  # outside the outline
    assert inked[corner].any()
    assert not changed(image, overlay(image, mask))[corner].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (30, 40), (480, 640)])
def test_masks_at_the_edge_and_of_the_whole_picture_are_drawn(size):
    height, width = size
    for box in ((0, 0, width, height), (0, 0, 1, 1), (width - 1, height - 1, 1, 1)):
        image, mask, blobs = judged(size, box)
        before = image.copy()
        drawn = overlay(image, mask, blobs)
        assert drawn.shape == image.shape
        assert drawn.dtype == np.uint8
        assert np.array_equal(image, before)


def test_a_good_picture_stays_as_it_is():
    image, mask, blobs = judged((30, 40))
    drawn = overlay(image, mask, blobs)
    assert np.array_equal(drawn, image)
    assert drawn is not image


def test_many_blobs_do_not_bury_the_picture_in_numbers():
    boxes = [(40 + 90 * (i % 8), 60 + 120 * (i // 8), 30, 30) for i in range(32)]
    image, mask, blobs = judged((600, 800), *boxes)
    assert len(blobs) == 32
    drawn = overlay(image, mask, blobs)
    white = (drawn == 255).all(axis=2)
    assert white.any()
    assert not white[180:].any()  # only the first ones, of the upper rows, are numbered
