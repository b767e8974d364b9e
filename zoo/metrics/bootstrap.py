"""95 % bootstrap intervals of a split's metrics, resampling physical items.

Several images of one item, or of one place under several lights, are not independent: items are
drawn with replacement, and all their images come along (Efron, Bootstrap methods, 1979; of
clusters: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). An
interval covers the choice of items, not other objects or seeds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

RESAMPLES = 1000
_BLOCK = 50  # resamples at a time: tens of thousands of images stay within tens of MB


def draws(groups: Sequence[Hashable], resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Yield how often each image is in each resample, float64 (some resamples, N).

    Args:
        groups: The physical item of each image, N of them.
        resamples: How many to draw in all; always the same ones for the same groups.
    """
    order = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    indices = np.array([order[group] for group in groups])
    random = np.random.default_rng(0)
    for begin in range(0, resamples, _BLOCK):
        picked = random.integers(0, len(order), (min(_BLOCK, resamples - begin), len(order)))
        times = [np.bincount(row, minlength=len(order)) for row in picked]
        yield np.stack(times)[:, indices].astype(np.float64)


def resampled_f1(groups: Sequence[Hashable], counts: np.ndarray) -> np.ndarray:
    """Return SegF1 of every resample, (resamples,); arguments as `draws` and `f1_of`, per image."""
    return np.concatenate([f1_of(times @ counts) for times in draws(groups)])


def resampled_auroc(
    groups: Sequence[Hashable], scores: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return image AUROC of every resample, (resamples,); arguments as `draws` and `auroc_of`."""
    return np.concatenate([auroc_of(times, scores, labels) for times in draws(groups)])


def interval(resampled: np.ndarray) -> tuple[float, float] | None:
    """Return the middle 95 % of resampled values without undefined ones (NaN); None without any."""
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
    f1: np.ndarray = np.divide(2 * hits, pixels, out=np.full_like(pixels, np.nan), where=pixels > 0)
    return f1


def auroc_of(weights: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the image AUROC of every resample, ties counting one half, (R,); NaN for one class.

    Args:
        weights: How often each image is in each resample, (R, N), see `draws`.
        scores: Image scores, (N,).
        labels: 0 normal, 1 anomalous, (N,).
    """
    ascending = np.argsort(scores, kind="stable")
    weights, ordered = np.asarray(weights, np.float64)[:, ascending], np.asarray(scores)[ascending]
    is_anomalous = (np.asarray(labels) > 0)[ascending]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > 0)  # of images with equal scores
    normal = np.add.reduceat(weights * ~is_anomalous, starts, axis=1)  # (R, levels)
    anomalous = np.add.reduceat(weights * is_anomalous, starts, axis=1)
    below = np.cumsum(normal, axis=1) - normal / 2
    pairs = normal.sum(axis=1) * anomalous.sum(axis=1)
    won = (anomalous * below).sum(axis=1)
    auroc: np.ndarray = np.divide(won, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
    return auroc
