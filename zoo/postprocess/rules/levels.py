"""Rules that read one level off all normal pixels: a quantile, mean and deviation, the maximum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.postprocess.background import Normalisation
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.base import NormalScores, Rule, check_normalisation
from zoo.postprocess.scenes import Scenes


@dataclass(frozen=True)
class Quantile(Rule):
    """A high quantile of all normal pixel scores, times a factor.

    Attributes:
        q: Share of normal pixels at or below the threshold before the factor, in (0, 1]; exact to
            2.5e-4 of its value.
        factor: The threshold is the quantile times this. (With negative scores it would lower the
            threshold: such methods keep factor 1.)
        normalisation: What is taken off each image's own map first.
    """

    q: float = 0.999
    factor: float = 1.0
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not 0 < self.q <= 1:
            self.refuse("q", "it must lie in (0, 1]")
        if not 0 < self.factor < np.inf:
            self.refuse("factor", "it must be greater than 0")
        check_normalisation(self)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean, self.normalisation)
        threshold = float(normal.histogram.quantile(self.q)) * self.factor
        return self.calibration(normal, split, threshold=threshold)


@dataclass(frozen=True)
class MeanStd(Rule):
    """The mean of all normal pixel scores plus a multiple of their standard deviation.

    Attributes:
        k: How many standard deviations; the published baselines of MVTec AD 2 use 3.
        normalisation: What is taken off each image's own map first.
    """

    k: float = 3.0
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not np.isfinite(self.k):
            self.refuse("k", "it must be a number")
        check_normalisation(self)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean, self.normalisation)
        return self.calibration(normal, split, threshold=normal.mean + self.k * normal.std)


@dataclass(frozen=True)
class Maximum(Rule):
    """The largest normal score, which is anomalib's own rule; nothing normal is ever marked.

    Attributes:
        factor: The threshold is the maximum times this.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not 0 < self.factor < np.inf:
            self.refuse("factor", "it must be greater than 0")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean)
        largest = float(normal.histogram.quantile(1.0))
        return self.calibration(normal, split, threshold=largest * self.factor)
