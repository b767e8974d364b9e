"""The rule that keeps false alarms inside a budget: limits that few normal blobs pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from zoo.postprocess.background import Normalisation, background
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Components
from zoo.postprocess.morphology import clean_mask
from zoo.postprocess.rules.base import SHAPE, NormalScores, Rule
from zoo.postprocess.score_maps import Scenes

# How far a limit stands above the normal blob that set it, in deviations of normal scores, or as a
# share of a mass. Another runtime gives that blob a score that differs in the sixth digit; on the
# very limit, that would mark all of it.
MIN_MARGIN = 1e-3


@dataclass(frozen=True)
class FalseAlarmBudget(Rule):
    """Blobs grow from a low threshold; a limit on them is set so that few normal ones stay.

    Attributes:
        per_image: Normal blobs that may stay, per image. With n images no budget below 1 / n can
            be told from zero, so small budgets want many images.
        q: Quantile of normal pixels that sets how far a blob reaches.
        limit: What a blob must exceed: the "peak" of its scores, its "mass" (scores above the
            threshold, summed up) or its "area".
        normalisation: What is taken off each image's own map first.
    """

    per_image: float = 0.05
    q: float = 0.995
    limit: Literal["peak", "mass", "area"] = "peak"
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("per_image", 0 <= self.per_image < np.inf, "it must be 0 or more")
        self.require("q", 0 < self.q <= 1, "it must lie in (0, 1]")
        choices = ("peak", "mass", "area")
        self.require("limit", self.limit in choices, f"choose from {', '.join(choices)}")
        self.require_normalisation(self.normalisation)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean, self.normalisation)
        threshold = normal.quantile(self.q)
        base = self.calibration(normal, split, threshold=threshold)
        blobs = np.concatenate([normal_blobs(m, base) for m in scenes.clean])  # (n, 3)
        peaks, masses, areas = blobs.T
        margins: dict[str, tuple[np.ndarray, np.ndarray | float]] = {
            "peak": (peaks, MIN_MARGIN * normal.std),
            "mass": (masses, MIN_MARGIN * masses),
            "area": (areas, 0.0),
        }
        values, margin = margins[self.limit]
        limit = smallest_limit(values, self.per_image * normal.n_images, margin)
        if limit == -np.inf:
            return base
        numbers: dict[str, dict[str, Any]] = {
            "peak": {"seed_threshold": max(limit, threshold)},
            "mass": {"min_mass": float(np.nextafter(limit, np.inf))},
            "area": {"min_area_px": max(self.min_area_px, int(limit) + 1)},
        }
        return replace(base, **numbers[self.limit])


def normal_blobs(score_map: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return peak, mass and area of every blob of a map, in normalised units, float64 (n, 3).

    Args:
        score_map: Raw scores at native size, (H, W).
        calibration: Its threshold, shape and smallest area count; other limits do not.
    """
    level, spread = background(score_map, calibration.normalisation, calibration.spread_floor)
    threshold = level + spread * calibration.threshold
    shape = {name: getattr(calibration, name) for name in SHAPE if name != "min_area_px"}
    candidates = clean_mask((score_map > threshold).view(np.uint8), **shape)
    components = Components.of(candidates, score_map)
    keep = components.areas >= max(1, calibration.min_area_px)
    keep[0] = False
    peaks = (components.peaks.astype(np.float64) - level) / spread
    masses = components.mass_above(threshold) / spread
    return np.stack([peaks, masses, components.areas.astype(np.float64)], axis=1)[keep]


def smallest_limit(values: np.ndarray, allowed: float, margin: np.ndarray | float = 0.0) -> float:
    """Return the smallest limit that at most `allowed` of the values exceed; -inf if all may stay.

    Args:
        values: (n,).
        allowed: How many may exceed it.
        margin: How far it stands above the value that sets it, at most half the way to the next
            one; one number, or one for each value, (n,).

    Example:
        >>> smallest_limit(np.array([5.0, 1.0, 3.0]), 1)
        3.0
    """
    order = np.argsort(values)[::-1]
    index = int(allowed + 1e-9)  # 0.29 * 100 is a hair below 29
    if index >= len(order):
        return -np.inf
    limit = values[order[index]]
    own = np.broadcast_to(margin, values.shape)[order[index]]
    gap = np.min(values[values > limit] - limit, initial=np.inf)
    return float(limit + min(own, gap / 2))
