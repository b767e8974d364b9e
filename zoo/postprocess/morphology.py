"""All morphology of masks: closing along lines, filling of holes, erosion, the border.

Everything is in pixels of the native image and looks at the box around the candidates only.
"""

from __future__ import annotations

import cv2
import numpy as np


def clean_mask(
    candidates: np.ndarray,
    close_px: int = 0,
    fill_holes_px: int = 0,
    erode_px: int = 0,
    border_px: int = 0,
) -> np.ndarray:
    """Return candidates after border, closing, filling and erosion, in this order.

    Args:
        candidates: uint8 (H, W), 0 or 1; left as it is.
        close_px: Gaps up to this length are bridged along rows, columns and diagonals.
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
    box = slice(top, top + height), slice(left, left + width)
    part = candidates[box]
    if close_px:
        part = _closed_along_lines(part, close_px)
    if fill_holes_px:
        part = _filled(part, fill_holes_px)
    if erode_px > 1:
        bottom, right = top + height == len(candidates), left + width == candidates.shape[1]
        part = _eroded(part, erode_px, [top == 0, bottom, left == 0, right])
    result = np.zeros_like(candidates)
    result[box] = part
    return result


def _without_border(candidates: np.ndarray, border_px: int) -> np.ndarray:
    inner = np.zeros_like(candidates)
    height, width = candidates.shape
    if height > 2 * border_px and width > 2 * border_px:
        box = slice(border_px, height - border_px), slice(border_px, width - border_px)
        inner[box] = candidates[box]
    return inner


def _closed_along_lines(part: np.ndarray, gap: int) -> np.ndarray:
    """Return the union of closings by a line in four directions: bridges, but no swelling."""
    # Room for the lines, so that the edge of the image is no candidate to bridge to.
    padded = cv2.copyMakeBorder(part, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=0)
    row = np.ones((1, gap + 1), np.uint8)
    diagonal = np.eye(gap + 1, dtype=np.uint8)
    closed: np.ndarray = padded
    for line in (row, row.T, diagonal, diagonal[::-1]):
        line = np.ascontiguousarray(line)
        # Lines of even length have no middle: what shrinks must mirror what grew, which
        # cv2.morphologyEx does not see to.
        grown_at = line.shape[1] // 2, line.shape[0] // 2
        shrunk_at = line.shape[1] - 1 - grown_at[0], line.shape[0] - 1 - grown_at[1]
        grown = cv2.dilate(padded, line, anchor=grown_at)
        closed = closed | cv2.erode(grown, line, anchor=shrunk_at)
    return closed[gap:-gap, gap:-gap]


def _filled(part: np.ndarray, most_px: int) -> np.ndarray:
    """Fill holes (4-connected background that does not reach the box's edge) up to an area."""
    outside = np.pad(1 - part, 1, constant_values=1)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    if count <= 2:
        return part
    fill = statistics[:, cv2.CC_STAT_AREA] <= most_px
    fill[0] = fill[labels[0, 0]] = False
    filled: np.ndarray = part | fill[labels[1:-1, 1:-1]].astype(np.uint8)
    return filled


def _eroded(part: np.ndarray, side: int, at_edge: list[bool]) -> np.ndarray:
    """Erode by a square; beyond the image's edges (top, bottom, left, right) is candidate."""
    top, bottom, left, right = (0 if edge else side for edge in at_edge)
    padded = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((side, side), np.uint8))  # beyond `padded` is candidate
    return eroded[top : top + part.shape[0], left : left + part.shape[1]]
