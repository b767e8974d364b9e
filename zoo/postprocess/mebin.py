"""MEBin: the threshold under which the blobs of an image stay the same for longest.

Paper: AnomalyNCD, CVPR 2025, arXiv 2410.14379. Reference: HUST-SLOW/AnomalyNCD, MIT, commit
cbecce7, `models/modules/_MEBin.py`. Difference: the reference sweeps from the smallest to the
largest peak of all *test* images; here the lower end comes from normal images and the upper one is
the image's own peak, so that a mask depends on no other image. Thresholds stay real numbers.
"""

from __future__ import annotations

import cv2
import numpy as np

from zoo.postprocess.calibration import Sweep

STEP = 4  # of 255 levels; the reference's sample rate
SHORTEST_RUN = 4
ERODE_PX = 6


def blob_counts(
    score_map: np.ndarray, low: float, high: float, step: int = STEP, erode_px: int = ERODE_PX
) -> np.ndarray:
    """Count blobs of the eroded map at falling thresholds between two scores.

    Args:
        score_map: Raw scores (H, W).
        low: Score of level 0; what lies below counts as this.
        high: Score of level 255, greater than `low`.
        step: Levels between two thresholds.
        erode_px: Side of the square that erodes; outside the image counts as foreground.

    Returns:
        int (n,), 8-connected blobs above the levels 255, 255 - step, ..., the last one above 0.
    """
    low_, range_ = np.float32(low), np.float32(high - low)
    scaled = (np.maximum(score_map, low_) - low_) / range_ * np.float32(255)
    # Levels are whole numbers, so that rounding up changes no comparison with them.
    scaled = np.minimum(np.ceil(scaled), 255).astype(np.uint8)
    if erode_px > 1:
        # A minimum filter of the map erodes every thresholded map at once.
        scaled = cv2.erode(scaled, np.ones((erode_px, erode_px), np.uint8))
    counts = []
    for level in range(255, 0, -step):
        above = (scaled > level).view(np.uint8)
        left, top, width, height = cv2.boundingRect(above)
        part = above[top : top + height, left : left + width]
        counts.append(cv2.connectedComponents(part, connectivity=8)[0] - 1 if width else 0)
    return np.array(counts)


def stable_level(
    counts: np.ndarray, step: int = STEP, shortest_run: int = SHORTEST_RUN
) -> tuple[int, int]:
    """Return the level at the lower end of the longest run of one blob count, and that count.

    Ties between counts go to the one met first, ties between runs of a count to the last.

    Args:
        counts: Blob counts from the highest level down.
        step: Levels between two counts.
        shortest_run: A run must be at least this long.

    Returns:
        Level in 0..255 and count; (255, 0) when no run of a count above zero is long enough.

    Example:
        >>> stable_level(np.array([0, 0, 2, 2, 2, 2, 1, 1, 1, 1, 3]))
        (235, 2)
    """
    borders = np.flatnonzero(np.diff(counts)) + 1
    starts = np.concatenate([[0], borders])
    ends = np.concatenate([borders, [len(counts)]])
    longest: dict[int, tuple[int, int]] = {}  # count: (length, last index)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        count, length = int(counts[start]), end - start
        if count and length >= shortest_run and length >= longest.get(count, (0, 0))[0]:
            longest[count] = (length, end - 1)
    if not longest:
        return 255, 0
    # Python's dict keeps the order of first meeting, and max the first of equals.
    count = max(longest, key=lambda count: longest[count][0])
    return 255 - step * longest[count][1], count


def swept_threshold(
    score_map: np.ndarray, low: float, sweep: Sweep, erode_px: int = ERODE_PX
) -> float:
    """Return an image's own threshold, at least `low`; infinite if the image holds no defect.

    Args:
        score_map: Raw scores (H, W).
        low: No normal image reaches this score, nor may the threshold fall below it.
        sweep: How thresholds are tried.
        erode_px: Side of the square that erodes before blobs are counted.
    """
    high = float(score_map.max())
    if not high > low:
        return np.inf
    step, shortest_run = sweep["step"], sweep["shortest_run"]
    counts = blob_counts(score_map, low, high, step, erode_px)
    level, count = stable_level(counts, step, shortest_run)
    return low + level / 255.0 * (high - low) if count else np.inf
