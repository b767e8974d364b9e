"""All morphology of masks: closing along lines, filling of holes, erosion, the border.

Everything is in pixels of the native image and looks at the box around the candidates only, so
that a clean image costs nothing.
"""

from __future__ import annotations

import cv2
import numpy as np


def shaped(
    candidates: np.ndarray,
    close_px: int = 0,
    fill_holes_px: int = 0,
    erode_px: int = 0,
    border_px: int = 0,
) -> np.ndarray:
    """Return candidates after border, closing, filling and erosion, in this order.

    Args:
        candidates: uint8 (H, W), 0 or 1; left as it is.
        close_px: Gaps up to about this length are bridged along rows, columns and diagonals.
        fill_holes_px: Enclosed holes up to this area are filled.
        erode_px: Side of the square that erodes; an even one takes one pixel more at the top and
            left, as in the reference of MEBin. Outside the image counts as candidate.
        border_px: Candidates in a frame of this width are dropped.

    Returns:
        uint8 (H, W), 0 or 1.
    """
    if border_px:
        candidates = _without_border(candidates, border_px)
    if not (close_px or fill_holes_px or erode_px):
        return candidates
    left, top, width, height = cv2.boundingRect(candidates)
    if width == 0:
        return candidates
    # Room for a closing to bridge around a corner, as far as the image goes.
    top_, left_ = max(0, top - close_px), max(0, left - close_px)
    box = slice(top_, top + height + close_px), slice(left_, left + width + close_px)
    part = candidates[box]
    if close_px > 1:
        part = _closed_along_lines(part, close_px)
    if fill_holes_px:
        part = _filled(part, fill_holes_px)
    if erode_px > 1:
        part = _eroded(part, erode_px, [edge_at(candidates.shape, box, side) for side in range(4)])
    result = np.zeros_like(candidates)
    result[box] = part
    return result


def edge_at(shape: tuple[int, int], box: tuple[slice, slice], side: int) -> bool:
    """Whether a box touches the image's edge at top, bottom, left or right (side 0..3)."""
    rows, columns = box
    return (
        rows.start == 0,
        rows.stop >= shape[0],
        columns.start == 0,
        columns.stop >= shape[1],
    )[side]


def _without_border(candidates: np.ndarray, border_px: int) -> np.ndarray:
    inner = np.zeros_like(candidates)
    height, width = candidates.shape
    if height > 2 * border_px and width > 2 * border_px:
        box = slice(border_px, height - border_px), slice(border_px, width - border_px)
        inner[box] = candidates[box]
    return inner


def _closed_along_lines(part: np.ndarray, length: int) -> np.ndarray:
    """Return the union of closings by a line in four directions: bridges, but no swelling."""
    row = np.ones((1, length), np.uint8)
    diagonal = np.eye(length, dtype=np.uint8)
    closed = part
    for line in (row, row.T, diagonal, np.ascontiguousarray(diagonal[::-1])):
        closed = closed | cv2.morphologyEx(part, cv2.MORPH_CLOSE, line)
    return closed


def _filled(part: np.ndarray, most_px: int) -> np.ndarray:
    """Fill holes (4-connected background that does not reach the box's edge) up to an area."""
    outside = np.pad(1 - part, 1, constant_values=1)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    if count <= 2:
        return part
    fill = statistics[:, cv2.CC_STAT_AREA] <= most_px
    fill[0] = fill[labels[0, 0]] = False
    return part | fill[labels[1:-1, 1:-1]].astype(np.uint8)


def _eroded(part: np.ndarray, side: int, at_edge: list[bool]) -> np.ndarray:
    """Erode by a square; beyond the image's edge there is candidate, elsewhere there is none."""
    top, bottom, left, right = at_edge
    room = side
    padded = np.zeros((part.shape[0] + 2 * room, part.shape[1] + 2 * room), np.uint8)
    padded[: room if top else 0] = 1
    padded[len(padded) - (room if bottom else 0) :] = 1
    padded[:, : room if left else 0] = 1
    padded[:, padded.shape[1] - (room if right else 0) :] = 1
    padded[room:-room, room:-room] = part
    eroded = cv2.erode(padded, np.ones((side, side), np.uint8))
    return np.ascontiguousarray(eroded[room:-room, room:-room])
