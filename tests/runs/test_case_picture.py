"""Colours of a case: found, wrongly marked, missed; and one scale for all maps."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.postprocess import Calibration
from zoo.postprocess.case_image import (
    FALSE_ALARM,
    FOUND,
    MARKED,
    MISSED,
    against_truth,
    case_picture,
)

IMAGE = np.full((20, 30, 3), 100, np.uint8)


def mask_of(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_each_kind_of_pixel_has_its_colour():
    mask, truth = mask_of(slice(5, 15), slice(5, 15)), mask_of(slice(5, 15), slice(10, 25))
    drawn = against_truth(IMAGE, mask, truth)
    # Borders are in the full colour, what is inside lets the picture through.
    for (row, column), colour in (((5, 5), FALSE_ALARM), ((5, 12), FOUND), ((5, 24), MISSED)):
        assert tuple(drawn[row, column]) == colour
    for (row, column), colour in (((9, 7), FALSE_ALARM), ((9, 12), FOUND), ((9, 20), MISSED)):
        expected = 0.55 * 80 + 0.45 * np.array(colour)
        assert np.abs(drawn[row, column] - expected).max() <= 1
    assert tuple(drawn[0, 0]) == (80, 80, 80)
    assert (IMAGE == 100).all()


def test_without_truth_a_mark_is_neither_right_nor_wrong():
    drawn = against_truth(IMAGE, mask_of(slice(5, 15), slice(5, 15)), None)
    assert tuple(drawn[5, 5]) == MARKED


def test_the_threshold_is_the_middle_of_the_colours_in_every_map():
    middle = cv2.applyColorMap(np.full((1, 1), 127, np.uint8), cv2.COLORMAP_INFERNO)[0, 0, ::-1]
    for loudest in (3.0, 50.0):
        score_map = np.full((20, 30), 2.0, np.float32)
        score_map[0, 0] = loudest
        nothing = np.zeros((20, 30), bool)
        picture = case_picture(IMAGE, score_map, nothing, nothing, Calibration(2.0))
        assert picture.shape == (20, 90, 3)
        assert tuple(picture[10, 45]) == tuple(middle)
