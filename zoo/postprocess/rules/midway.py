"""The rule midway between a quantile and mean plus deviations, with a budget of false blobs.

A quantile of normal pixels follows their tail, mean plus deviations their bulk. The first is too
high for large faint defects on heavy-tailed textures, the second too low on clean backgrounds; the
middle of both is a compromise, which `benchmarks/calibration_study.py` compares with the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zoo.postprocess.background import Normalisation, level_and_spread
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.base import NormalScores, Rule, check_normalisation
from zoo.postprocess.rules.budget import MIN_MARGIN, normal_blobs, smallest_limit
from zoo.postprocess.scenes import Scenes


@dataclass(frozen=True)
class Midway(Rule):
    """Extent midway between two levels; a blob needs a peak that few normal blobs have.

    Attributes:
        q: The upper level is this quantile of normal pixels, as a rule.
        k: The lower one is their mean plus so many standard deviations.
        per_image: Normal blobs that may stay, per image.
        normalisation: What is taken off each image's own map first.
    """

    q: float = 0.999
    k: float = 3.0
    per_image: float = 0.3
    normalisation: Normalisation = "median"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not 0 < self.q <= 1:
            self.refuse("q", "it must lie in (0, 1]")
        if not np.isfinite(self.k):
            self.refuse("k", "it must be a number")
        if not 0 <= self.per_image < np.inf:
            self.refuse("per_image", "it must be 0 or more")
        check_normalisation(self)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        return self.derive_for(scenes, split, self.normalisation, {})

    def derive_for(
        self, scenes: Scenes, split: str, normalisation: Normalisation, findings: dict[str, Any]
    ) -> Calibration:
        """Derive the calibration under one normalisation."""
        floor = 0.0
        if normalisation == "robust":
            # Spreads that normal images have anyway are left alone; only what exceeds them is
            # divided away. Dividing by every spread would blow up the noise of flat maps.
            floor = max(level_and_spread(each)[1] for each in scenes.clean)
        normal = NormalScores(scenes.clean, normalisation, floor)
        upper = float(normal.histogram.quantile(self.q))
        threshold = (upper + normal.mean + self.k * normal.std) / 2
        extent = self.calibration(normal, split, threshold=threshold, findings=findings)
        blobs = np.concatenate([normal_blobs(each, extent) for each in scenes.clean])  # (n, 3)
        allowed, hair = self.per_image * normal.n_images, MIN_MARGIN * normal.std
        peak = smallest_limit(blobs[:, 0], allowed, hair)
        return replace(extent, seed_threshold=max(peak, threshold))
