"""95 % intervals of a split's figures, by drawing its physical items again and again.

Several photographs of one item, or of one place under several lights, are no independent evidence:
items are drawn, with replacement, and all their photographs come along (Efron, Bootstrap methods,
1979; of clusters: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
An interval knows the items that were there; it says nothing of other objects or seeds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

RESAMPLES = 1000


def draws(groups: Sequence[Hashable], resamples: int = RESAMPLES) -> np.ndarray:
    """Return how often each image is in each resample, float32 (resamples, N).

    Args:
        groups: The physical item of each image, N of them.
        resamples: How many to draw; always the same ones for the same groups.
    """
    order = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    indices = np.array([order[group] for group in groups])
    picked = np.random.default_rng(0).integers(0, len(order), (resamples, len(order)))
    times = np.zeros((resamples, len(order)), np.float32)
    np.add.at(times, (np.arange(resamples)[:, None], picked), 1)
    return times[:, indices]


def interval(resampled: np.ndarray) -> tuple[float, float] | None:
    """Return the middle 95 % of resampled figures; those that are undefined (NaN) do not count."""
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def f1_of(counts: np.ndarray) -> np.ndarray:
    """Return SegF1 of pooled counts, (...); NaN where nothing was marked nor to be marked.

    Args:
        counts: Sums of true positives, false positives and misses, (..., 3).
    """
    hits, wrong, missed = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    pixels = 2 * hits + wrong + missed
    return np.divide(2 * hits, pixels, out=np.full_like(pixels, np.nan), where=pixels > 0)


def auroc_of(weights: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the image AUROC of every resample, ties counting one half, (R,); NaN for one class.

    Args:
        weights: How often each image is in each resample, (R, N), see `draws`.
        scores: Image scores, (N,).
        labels: 0 good, 1 defective, (N,).
    """
    levels, level_of = np.unique(scores, return_inverse=True)
    by_level = np.zeros((len(scores), len(levels)), np.float32)
    by_level[np.arange(len(scores)), level_of] = 1
    is_bad = np.asarray(labels) > 0
    good = (weights[:, ~is_bad] @ by_level[~is_bad]).astype(np.float64)  # (R, levels)
    bad = (weights[:, is_bad] @ by_level[is_bad]).astype(np.float64)
    below = np.cumsum(good, axis=1) - good / 2
    pairs = good.sum(axis=1) * bad.sum(axis=1)
    won = (bad * below).sum(axis=1)
    return np.divide(won, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
