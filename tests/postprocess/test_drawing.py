"""Masks outlined at every size of image; colours of hits, false alarms and misses."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo.postprocess import Calibration, finish
from zoo.postprocess.drawing import (
    FALSE_ALARM,
    HIT,
    MARKED,
    MASK_COLOUR,
    MISSED,
    against_truth,
    case_image,
    overlay,
)


def finished(size: tuple[int, int], *boxes: tuple[int, int, int, int]):
    """Return image, mask and blobs of a image with boxes (left, top, width, height) marked."""
    score_map = np.zeros(size, np.float32)
    for rank, (left, top, width, height) in enumerate(boxes, start=1):
        score_map[top : top + height, left : left + width] = 1 / rank
    result = finish(score_map, size, Calibration(threshold=0.01))
    return np.full((*size, 3), 128, np.uint8), result.mask, result.blobs


def changed(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (image != drawn).any(axis=2)


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_a_defect_is_outlined_and_stays_visible(scale):
    size = (300 * scale, 400 * scale)
    box = (100 * scale, 120 * scale, 80 * scale, 60 * scale)
    image, mask, blobs = finished(size, box)
    drawn = overlay(image, mask, blobs)
    inked = changed(image, drawn)
    assert inked[mask].mean() < 0.1
    assert ((drawn == MASK_COLOUR).all(axis=2)).sum() > 100 * scale
    near = np.zeros(size, bool)
    near[box[1] - 40 * scale : box[1] + 70 * scale, box[0] - 20 * scale : box[0] + 90 * scale] = 1
    assert not inked[~near].any()


def test_a_speck_gets_a_box_and_is_not_covered():
    image, mask, blobs = finished((600, 800), (300, 200, 4, 4))
    inked = changed(image, overlay(image, mask, blobs))
    assert inked[mask].mean() < 0.3  # rounded corners
    assert inked.sum() > 3 * changed(image, overlay(image, mask)).sum()


def test_a_large_blob_has_a_box_around_it():
    image, mask, blobs = finished((600, 800), (300, 200, 120, 80))
    inked = changed(image, overlay(image, mask, blobs))
    corner = slice(185, 192), slice(285, 292)  # outside the outline
    assert inked[corner].any()
    assert not changed(image, overlay(image, mask))[corner].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (30, 40), (480, 640)])
def test_masks_at_the_edge_and_of_the_whole_image_are_drawn(size):
    height, width = size
    for box in ((0, 0, width, height), (0, 0, 1, 1), (width - 1, height - 1, 1, 1)):
        image, mask, blobs = finished(size, box)
        before = image.copy()
        drawn = overlay(image, mask, blobs)
        assert drawn.shape == image.shape
        assert drawn.dtype == np.uint8
        assert np.array_equal(image, before)


def test_a_normal_image_stays_as_it_is():
    image, mask, blobs = finished((30, 40))
    drawn = overlay(image, mask, blobs)
    assert np.array_equal(drawn, image)
    assert drawn is not image


def test_many_blobs_do_not_bury_the_image_in_numbers():
    boxes = [(40 + 90 * (i % 8), 60 + 120 * (i // 8), 30, 30) for i in range(32)]
    image, mask, blobs = finished((600, 800), *boxes)
    assert len(blobs) == 32
    drawn = overlay(image, mask, blobs)
    white = (drawn == 255).all(axis=2)
    assert white.any()
    assert not white[180:].any()  # only the first ones, of the upper rows, are numbered


IMAGE = np.full((20, 30, 3), 100, np.uint8)


def mask_of(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_each_kind_of_pixel_has_its_colour():
    mask, truth = mask_of(slice(5, 15), slice(5, 15)), mask_of(slice(5, 15), slice(10, 25))
    drawn = against_truth(IMAGE, mask, truth)
    # Borders are in the full colour, what is inside lets the image through.
    for (row, column), colour in (((5, 5), FALSE_ALARM), ((5, 12), HIT), ((5, 24), MISSED)):
        assert tuple(drawn[row, column]) == colour
    for (row, column), colour in (((9, 7), FALSE_ALARM), ((9, 12), HIT), ((9, 20), MISSED)):
        expected = 0.55 * 80 + 0.45 * np.array(colour)
        assert np.abs(drawn[row, column] - expected).max() <= 1
    assert tuple(drawn[0, 0]) == (80, 80, 80)
    assert (IMAGE == 100).all()


def test_without_truth_a_mark_is_neither_right_nor_wrong():
    drawn = against_truth(IMAGE, mask_of(slice(5, 15), slice(5, 15)), None)
    assert tuple(drawn[5, 5]) == MARKED


def test_the_threshold_is_the_middle_of_the_colours_in_every_map():
    middle = cv2.applyColorMap(np.full((1, 1), 127, np.uint8), cv2.COLORMAP_INFERNO)[0, 0, ::-1]
    for highest in (3.0, 50.0):
        score_map = np.full((20, 30), 2.0, np.float32)
        score_map[0, 0] = highest
        nothing = np.zeros((20, 30), bool)
        drawn = case_image(IMAGE, score_map, nothing, nothing, Calibration(2.0))
        assert drawn.shape == (20, 90, 3)
        assert tuple(drawn[10, 45]) == tuple(middle)
