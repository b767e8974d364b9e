"""The rule that asks normal images under other lights what must be taken off each map.

Under another lamp the scores of whole images move, and a threshold from the training light marks
half of them. Taking each image's own median off its map mends that at a small price where the light
never changes; where light also stretches the scores, dividing by the spread mends more. Where light
moves the median alone and leaves high scores where they were, nothing must be taken off: defects
would sink below the threshold. Relit normal images tell which of these an object and a method
need; no label is looked at. It is the default by the evidence of `benchmarks/calibration_study.py`,
on whose test_public the two limits were chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from zoo.metrics import ScoreHistogram
from zoo.metrics.histogram import common_parts
from zoo.postprocess.background import Normalisation, normalised
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.base import Rule
from zoo.postprocess.rules.midway import Midway
from zoo.postprocess.scenes import Scenes, ScoreMaps

_Q = 0.998


@dataclass(frozen=True)
class Adaptive(Midway):
    """`Midway`, with the normalisation that relit normal images ask for.

    The measure is the excess: how many times more pixels of relit normal images than of clean ones
    exceed the clean .998 quantile. A light that changes nothing gives 1.

    Attributes:
        much: If the excess after taking off the median is greater, spreads are divided away too.
        little: If it is smaller, the median takes off what no light brought: nothing is taken off.
        normalisation: Without relit images, as in anomalib's own flow, this is used.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"relit"})

    much: float = 4.5
    little: float = 0.4

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.much >= 0:
            self.refuse("much", "it must be 0 or more")
        if not 0 <= self.little <= self.much:
            self.refuse("little", "it must lie between 0 and much")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        found = excess(scenes.clean_of_changed, scenes.relit, "median")
        chosen: Normalisation = "median" if found <= self.much else "robust"
        if found < self.little:
            chosen = "none"
        findings = {"excess_median": found, "n_relit": len(scenes.relit)}
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
    for each in maps:
        histogram.update(normalised(each, normalisation))
    return histogram
