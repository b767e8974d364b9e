"""A picture with its mask outlined and its blobs numbered, for people.

Lines run around what they mark and leave it visible. They have a dark edge, so that they show on
any ground, and grow with the picture, so that they show when it is shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from zoo.postprocess.finish import Blob

Colour = tuple[int, int, int]
MASK_COLOUR = (255, 70, 50)  # RGB
TRUTH_COLOUR = (60, 220, 60)
_EDGE_COLOUR = (0, 0, 0)
_NUMBER_COLOUR = (255, 255, 255)
_MOST_NUMBERS = 9  # more would hide the picture
_ROOM_PX = 300  # long side of a picture that numbers do not bury
_SMALL = 0.02  # of the long side: what is smaller is overlooked without a box
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def overlay(
    image: np.ndarray, mask: np.ndarray, blobs: Sequence[Blob] = (), colour: Colour = MASK_COLOUR
) -> np.ndarray:
    """Draw the outline of a mask, and boxes and numbers of its blobs.

    Small blobs all have boxes, of the others only the first few: more would hide the picture.

    Args:
        image: uint8 (H, W, 3) RGB; left as it is.
        mask: bool (H, W).
        blobs: The blobs of the mask; their numbers are their `id`.
        colour: RGB.

    Returns:
        uint8 (H, W, 3) RGB.
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
    """Put a tag with a blob's number above its box, or wherever the picture has room."""
    scale, text = 0.12 + 0.22 * line, str(blob.id)
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, line)
    width, height = width + 3 * line, height + 3 * line
    left, top, _, bottom = _corners(blob, 7 * line)
    x = min(max(left, 0), max(0, drawn.shape[1] - width))
    y = top - height if top >= height else min(bottom, drawn.shape[0] - height)
    cv2.rectangle(drawn, (x, y), (x + width, y + height), colour, cv2.FILLED)
    base = (x + 3 * line // 2, y + height - 3 * line // 2)
    cv2.putText(drawn, text, base, _FONT, scale, _NUMBER_COLOUR, line, cv2.LINE_AA)
