"""The rule midway between a quantile and mean plus deviations, and its form that adapts to light.

A quantile of normal pixels follows their tail, mean plus deviations their bulk. The first is too
high for large faint defects on heavy-tailed textures, the second too low on clean backgrounds; the
middle of both is a compromise, which `benchmarks/calibration_study.py` compares with the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from zoo.metrics import ScoreHistogram
from zoo.metrics.histogram import common_parts
from zoo.postprocess.background import Normalisation, level_and_spread, normalised
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.base import NormalScores, Rule
from zoo.postprocess.rules.budget import MIN_MARGIN, normal_blobs, smallest_limit
from zoo.postprocess.score_maps import Scenes, ScoreMaps

_Q = 0.998


@dataclass(frozen=True)
class Midway(Rule):
    """Extent midway between two levels; a blob needs a peak that few normal blobs have.

    Attributes:
        q: The upper level is this quantile of normal pixels.
        k: The lower one is their mean plus so many standard deviations.
        per_image: Normal blobs that may stay, per image.
        normalisation: What is taken off each image's own map first.
    """

    q: float = 0.999
    k: float = 3.0
    per_image: float = 0.3
    normalisation: Normalisation = "median"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("q", 0 < self.q <= 1, "it must lie in (0, 1]")
        self.require("k", bool(np.isfinite(self.k)), "it must be a number")
        self.require("per_image", 0 <= self.per_image < np.inf, "it must be 0 or more")
        self.require_normalisation(self.normalisation)

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
            floor = max(level_and_spread(score_map)[1] for score_map in scenes.clean)
        normal = NormalScores(scenes.clean, normalisation, floor)
        upper = normal.quantile(self.q)
        threshold = (upper + normal.mean + self.k * normal.std) / 2
        extent = self.calibration(normal, split, threshold=threshold, findings=findings)
        blobs = np.concatenate([normal_blobs(m, extent) for m in scenes.clean])  # (n, 3)
        allowed, margin = self.per_image * normal.n_images, MIN_MARGIN * normal.std
        peak = smallest_limit(blobs[:, 0], allowed, margin)
        return replace(extent, seed_threshold=max(peak, threshold))


@dataclass(frozen=True)
class Adaptive(Midway):
    """`Midway`, with the normalisation that relit normal images ask for: the default rule.

    Under another lamp the scores of whole images move, and a threshold from the training light
    marks half of them. Taking each image's own median off its map corrects that at a small price
    where the light never changes; where light also stretches the scores, dividing by the spread
    corrects more. Where light moves the median alone, nothing must be taken off: defects would sink
    below the threshold. The measure is the excess: how many times more pixels of relit normal
    images than of clean ones exceed the clean .998 quantile. A light that changes nothing gives 1.
    No label is looked at. Its limits were chosen on test_public by
    `benchmarks/calibration_study.py`.

    Attributes:
        much: If the excess after taking off the median is greater, spreads are divided away too.
        little: If it is smaller, the median takes off what no light brought: nothing is taken off.
        normalisation: Without relit images, as in anomalib's own flow, this is used.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"relit"})

    much: float = 4.5
    little: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("much", self.much >= 0, "it must be 0 or more")
        self.require("little", 0 <= self.little <= self.much, "it must lie between 0 and much")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        measured = excess(scenes.clean_of_changed, scenes.relit, "median")
        chosen: Normalisation = "median" if measured <= self.much else "robust"
        if measured < self.little:
            chosen = "none"
        findings = {"excess_median": measured, "n_relit": len(scenes.relit)}
        return self.derive_for(scenes, split, chosen, findings)

    def map_only(self) -> Rule:
        """Return `Midway` with the same parameters: it needs no relit images."""
        given = self.parameters()
        del given["much"], given["little"]
        return Midway(**given)


def excess(clean: ScoreMaps, relit: ScoreMaps, normalisation: Normalisation) -> float:
    """Return how many times more relit than clean pixels exceed the clean .998 quantile.

    Args:
        clean: Raw maps of normal images.
        relit: Raw maps of the same images under other lights.
        normalisation: What is taken off each map first.
    """
    usual, changed = _histogram(clean, normalisation), _histogram(relit, normalisation)
    level = usual.quantile(_Q)
    shares = [
        float(counts[lower >= level].sum() / counts.sum())
        for lower, _, counts in common_parts(usual, changed)
    ]
    # At least one pixel: a map of equal scores has none above its own quantile.
    return shares[1] / max(shares[0], 1 / usual.total)


def _histogram(maps: Iterable[np.ndarray], normalisation: Normalisation) -> ScoreHistogram:
    histogram = ScoreHistogram()
    for score_map in maps:
        histogram.update(normalised(score_map, normalisation))
    return histogram
