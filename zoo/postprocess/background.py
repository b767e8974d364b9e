"""The level of an image's own background: what a change of light moves, and a defect does not.

Where light shifts the scores of whole images, one threshold for all of them cannot hold. Taking
the median of each image off its own map, or dividing by its spread as well, can. Only masks are
made this way: maps that are written or measured stay raw.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Normalisation = Literal["none", "median", "robust"]
NORMALISATIONS: tuple[Normalisation, ...] = ("none", "median", "robust")

# Enough for a percentile, few enough to cost a millisecond at any size.
_MOST_SAMPLES = 1 << 16
_HIGH_PERCENT = 90
# Less is no spread to divide by: float32 would overflow.
_NO_SPREAD = 1e-30


def background(
    score_map: np.ndarray, normalisation: Normalisation, spread_floor: float = 0.0
) -> tuple[float, float]:
    """Return level and spread of a map, so that (score - level) / spread compares over images.

    Args:
        score_map: Raw scores at native size, (H, W); more than half of it is taken to be normal.
        normalisation: "none" gives (0, 1), "median" (median, 1), "robust" the median and the
            distance from there to the 90th percentile; 1 for a map without spread.
        spread_floor: The spread is at least this much, so that a flat map stays flat.
    """
    if normalisation == "none":
        return 0.0, 1.0
    level, spread = level_and_spread(score_map)
    spread = max(spread, spread_floor)
    return level, spread if normalisation == "robust" and spread > _NO_SPREAD else 1.0


def level_and_spread(score_map: np.ndarray) -> tuple[float, float]:
    """Return median and distance from there to the 90th percentile of a map (H, W)."""
    step = max(1, int(np.ceil(np.sqrt(score_map.size / _MOST_SAMPLES))))
    sample = score_map[::step, ::step].ravel()
    middle, high = len(sample) // 2, min(len(sample) * _HIGH_PERCENT // 100, len(sample) - 1)
    ordered = np.partition(sample, [middle, high])
    level = float(ordered[middle])
    return level, float(ordered[high]) - level


def normalised(
    score_map: np.ndarray, normalisation: Normalisation, spread_floor: float = 0.0
) -> np.ndarray:
    """Return (score - level) / spread of a map, float32 (H, W); the map itself for "none"."""
    if normalisation == "none":
        return score_map
    level, spread = background(score_map, normalisation, spread_floor)
    return (score_map - np.float32(level)) / np.float32(spread)
