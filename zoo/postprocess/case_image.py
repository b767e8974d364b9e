"""The picture of one case: image, score map on one fixed scale, mask against ground truth.

Numpy and OpenCV only. Colours can be told apart with any colour vision (Okabe and Ito 2008).
"""

from __future__ import annotations

import cv2
import numpy as np

from zoo.postprocess.calibration import Calibration

Colour = tuple[int, int, int]
FOUND: Colour = (0, 158, 115)  # RGB: marked, and a defect
FALSE_ALARM: Colour = (230, 90, 20)  # marked, and none
MISSED: Colour = (86, 180, 233)  # a defect, and not marked
MARKED: Colour = (240, 228, 66)  # marked, and nobody here knows
_FILL = 0.45
_DIMMED = 0.8


def case_picture(
    image: np.ndarray,
    score_map: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray | None,
    calibration: Calibration,
) -> np.ndarray:
    """Return three panels side by side, uint8 (H, 3W, 3) RGB.

    Args:
        image: uint8 (H, W, 3) RGB.
        score_map: Raw scores, (H, W).
        mask: bool (H, W).
        truth: bool (H, W), all False for a good image; None where it is not known.
        calibration: Its `for_display` is the scale: the threshold is the middle of the colours.
    """
    heat = (255 * calibration.for_display(score_map)).astype(np.uint8)
    heat = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[..., ::-1]
    panels = [image, heat, against_truth(image, mask, truth)]
    return np.ascontiguousarray(np.concatenate(panels, axis=1))


def against_truth(image: np.ndarray, mask: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Return the image in grey with found, wrongly marked and missed pixels in colour.

    Args:
        image: uint8 (H, W, 3) RGB; left as it is.
        mask: bool (H, W).
        truth: bool (H, W), or None where it is not known.
    """
    if truth is None:
        areas = [(mask, MARKED)]
    else:
        areas = [(mask & truth, FOUND), (mask & ~truth, FALSE_ALARM), (truth & ~mask, MISSED)]
    grey = _DIMMED * cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    drawn = np.repeat(grey[..., None], 3, axis=2)  # (H, W, 3) float
    for area, colour in areas:
        drawn[area] = (1 - _FILL) * drawn[area] + _FILL * np.array(colour)
    drawn = np.ascontiguousarray(drawn.astype(np.uint8))
    for area, colour in areas:  # lines last: a speck of a pixel shows in its full colour
        outlines = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(drawn, outlines, -1, colour, 1)
    return drawn
