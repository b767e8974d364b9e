"""Ranking metrics from counts per score level: AUROC, best F1 and AU-PRO.

Counts are those of normal pixels, defect pixels or regions at the same score levels, lowest level
first. A level is a threshold: all scores of a level are called anomalous together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zoo.utils.errors import ZooError


def auroc_from_counts(normal: np.ndarray, defect: np.ndarray) -> float | None:
    """Return the probability that a defect scores above a normal, a tie counting one half.

    Args:
        normal: (L,) counts of normals per level, lowest score first.
        defect: (L,) counts of defects at the same levels.

    Returns:
        0..1, or None when either kind is missing.

    Example:
        >>> auroc_from_counts(np.array([2, 1, 0]), np.array([0, 1, 1]))
        0.9166666666666666
    """
    pairs = float(normal.sum()) * float(defect.sum())
    if not pairs:
        return None
    below = np.cumsum(normal) - normal
    # Rounding must not push a perfect ranking above one.
    return min(1.0, float(np.dot(defect, below + normal / 2)) / pairs)


def best_f1(normal: np.ndarray, defect: np.ndarray) -> tuple[float, int] | None:
    """Return the largest F1 (0..1) of one threshold, and the level that is the threshold.

    Arguments as `auroc_from_counts`. The threshold is the lowest level called anomalous; of equal
    ones the highest. None when there is no defect.

    Example:
        >>> best_f1(np.array([2, 1, 0]), np.array([0, 1, 1]))
        (0.8, 1)
    """
    total = float(defect.sum())
    if not total:
        return None
    hits = _from_top(defect)
    scores = 2 * hits / (hits + _from_top(normal) + total)
    from_top = int(np.argmax(scores))
    return float(scores[from_top]), len(scores) - 1 - from_top


def au_pro_from_counts(
    normal: np.ndarray, region: np.ndarray, regions: int, limit: float = 0.05
) -> float | None:
    """Return the area under per-region overlap against false-positive rate, up to a limit.

    Source: MVTec AD 2, `AucPro_0.05` of its evaluation server. The overlap at a threshold is the
    mean over regions of their covered share, whatever their size; the rate is taken over all normal
    pixels of the split. The curve runs from (0, 0) to (1, 1) through every level, trapezoids
    between, linear interpolation at the limit, and the area is divided by the limit. A constant map
    scores half the limit, not 0.

    Args:
        normal: (L,) counts of normal pixels per level, lowest score first.
        region: (L,) sums over defect pixels of 1 / (area of the pixel's region) at these levels.
        regions: Number of regions.
        limit: False-positive rate where the integral ends, above 0 and up to 1. MVTec's older
            tool uses 0.3: give the limit with every number.

    Returns:
        0..1, or None without a region or without a normal pixel.

    Raises:
        ZooError: `limit` is outside its range.

    Example:
        >>> round(au_pro_from_counts(np.array([100]), np.array([3.0]), regions=3), 6)
        0.025
    """
    if not 0 < limit <= 1:
        raise ZooError(f"AU-PRO limit {limit}: must be above 0 and at most 1; MVTec AD 2 has 0.05")
    total = float(normal.sum())
    if not total or not regions:
        return None
    rate = np.concatenate(([0.0], _from_top(normal) / total))
    overlap = np.concatenate(([0.0], _from_top(region) / regions))
    # Up to the limit, then one more point on the limit itself.
    inside = int(np.searchsorted(rate, limit, side="right"))
    if inside < len(rate):
        share = (limit - rate[inside - 1]) / (rate[inside] - rate[inside - 1])
        rise = overlap[inside] - overlap[inside - 1]
        overlap = np.append(overlap[:inside], overlap[inside - 1] + share * rise)
        rate = np.append(rate[:inside], limit)
    area = float(np.dot(np.diff(rate), overlap[1:] + overlap[:-1])) / (2 * limit)
    return min(1.0, area)


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the exact AUROC of image scores, ties counting one half; None for one class.

    Args:
        scores: (N,) finite, larger is more anomalous.
        labels: (N,) not 0 for anomalous images.

    Raises:
        ZooError: The lengths differ or a score is NaN or infinite.

    Example:
        >>> image_auroc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
        0.875
    """
    return auroc_from_counts(*_image_levels(scores, labels))


def image_f1_max(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the largest F1 of one threshold on image scores, labels in hand: a bound.

    Arguments and errors as `image_auroc`; None without an anomalous image.

    Example:
        >>> image_f1_max([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
        0.8
    """
    best = best_f1(*_image_levels(scores, labels))
    return None if best is None else best[0]


def _image_levels(image_scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of normal and of anomalous images at each score, lowest first."""
    scores = np.asarray(image_scores, dtype=np.float64).ravel()
    anomalous = np.asarray(labels).ravel() != 0
    if scores.shape != anomalous.shape:
        raise ZooError(
            f"{scores.size} image scores for {anomalous.size} labels; pass one per image"
        )
    if not np.isfinite(scores).all():
        n_wrong = np.count_nonzero(~np.isfinite(scores))
        raise ZooError(f"image scores hold {n_wrong} NaN or infinite values among {scores.size}")
    values, level = np.unique(scores, return_inverse=True)
    n = values.size
    return np.bincount(level[~anomalous], minlength=n), np.bincount(level[anomalous], minlength=n)


def _from_top(counts: np.ndarray) -> np.ndarray:
    """Return the sums of the highest 1, 2, ... levels, highest first."""
    return np.cumsum(counts[::-1])
