"""Images of a prediction for people: the mask outlined, or compared with the ground truth.

Colours can be told apart with any colour vision (Okabe and Ito 2008). Lines run around what they
mark and leave it visible; those of an overlay have a dark edge and grow with the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Blob

Colour = tuple[int, int, int]  # RGB
MASK_COLOUR: Colour = (255, 70, 50)
HIT: Colour = (0, 158, 115)  # marked, and a defect
FALSE_ALARM: Colour = (230, 90, 20)  # marked, and none
MISSED: Colour = (86, 180, 233)  # a defect, and not marked
MARKED: Colour = (240, 228, 66)  # marked, without ground truth
_FILL = 0.45
_DIMMED = 0.8
_EDGE_COLOUR = (0, 0, 0)
_NUMBER_COLOUR = (255, 255, 255)
_MOST_NUMBERS = 9  # more would hide the image
_ROOM_PX = 300  # long side of an image that has room for numbers
_SMALL = 0.02  # of the long side: what is smaller is overlooked without a box
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def case_image(
    image: np.ndarray,
    score_map: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray | None,
    calibration: Calibration,
) -> np.ndarray:
    """Return image, score map and mask against truth side by side, uint8 (H, 3W, 3) RGB.

    Args:
        image: uint8 (H, W, 3) RGB.
        score_map: Raw scores, (H, W).
        mask: bool (H, W).
        truth: bool (H, W), all False for a normal image; None where it is not known.
        calibration: Its `for_display` is the scale: the threshold is the middle of the colours.
    """
    heat = (255 * calibration.for_display(score_map)).astype(np.uint8)
    coloured = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[..., ::-1]
    panels = [image, coloured, against_truth(image, mask, truth)]
    return np.ascontiguousarray(np.concatenate(panels, axis=1))


def against_truth(image: np.ndarray, mask: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Return the image in grey with hits, false alarms and misses in colour.

    Args:
        image: uint8 (H, W, 3) RGB; left as it is.
        mask: bool (H, W).
        truth: bool (H, W), or None where it is not known.
    """
    if truth is None:
        areas = [(mask, MARKED)]
    else:
        areas = [(mask & truth, HIT), (mask & ~truth, FALSE_ALARM), (truth & ~mask, MISSED)]
    grey = _DIMMED * cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    drawn = np.repeat(grey[..., None], 3, axis=2)  # (H, W, 3) float
    for area, colour in areas:
        drawn[area] = (1 - _FILL) * drawn[area] + _FILL * np.array(colour)
    drawn = np.ascontiguousarray(drawn.astype(np.uint8))
    for area, colour in areas:  # lines last: a speck of a pixel shows in its full colour
        outlines = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(drawn, outlines, -1, colour, 1)
    return drawn


def overlay(
    image: np.ndarray, mask: np.ndarray, blobs: Sequence[Blob] = (), colour: Colour = MASK_COLOUR
) -> np.ndarray:
    """Return an image with the outline of a mask, and boxes and numbers of its blobs.

    Small blobs all have boxes, of the others only the first few: more would hide the image.

    Args:
        image: uint8 (H, W, 3) RGB; left as it is.
        mask: bool (H, W).
        blobs: The blobs of the mask; their numbers are their `id`.
        colour: Of lines and numbers.
    """
    drawn = image.copy()
    if not mask.any():
        return drawn
    long_side = max(mask.shape)
    line = max(1, round(long_side / 400))
    boxed = [
        blob
        for rank, blob in enumerate(blobs)
        if rank < _MOST_NUMBERS or max(blob.box[2:]) < _SMALL * long_side
    ]
    edged = line + 2 * (1 + line // 3)
    outlines = _outlines(mask, edged // 2 + 2)  # smoothed lines are wider
    for ink, width in ((_EDGE_COLOUR, edged), (colour, line)):
        cv2.drawContours(drawn, outlines, -1, ink, width, cv2.LINE_AA)
        for blob in boxed:
            left, top, right, bottom = _corners(blob, 6 * line)
            cv2.rectangle(drawn, (left, top), (right, bottom), ink, width)
    for blob in blobs[: _MOST_NUMBERS if long_side >= _ROOM_PX else 0]:
        _number(drawn, blob, line, colour)
    return drawn


def _outlines(mask: np.ndarray, distance: int) -> Sequence[np.ndarray]:
    """Return the contours of a mask and its holes, at a distance in pixels outside it."""
    size = 2 * distance + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    grown = cv2.dilate(mask.astype(np.uint8), disk)
    return cv2.findContours(grown, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]


def _corners(blob: Blob, margin: int) -> tuple[int, int, int, int]:
    left, top, width, height = blob.box
    return left - margin, top - margin, left + width + margin, top + height + margin


def _number(drawn: np.ndarray, blob: Blob, line: int, colour: Colour) -> None:
    """Draw a tag with a blob's number above its box, or wherever the image has room."""
    scale, text = 0.12 + 0.22 * line, str(blob.id)
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, line)
    width, height = width + 3 * line, height + 3 * line
    left, top, _, bottom = _corners(blob, 7 * line)
    x = min(max(left, 0), max(0, drawn.shape[1] - width))
    y = top - height if top >= height else min(bottom, drawn.shape[0] - height)
    cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, cv2.FILLED)
    base = (x + 3 * line // 2, y + height - 3 * line // 2)
    cv2.putText(drawn, text, base, _FONT, scale, _NUMBER_COLOUR, line, cv2.LINE_AA)
