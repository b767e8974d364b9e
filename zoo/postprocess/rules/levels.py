"""Rules that read one level off normal scores: a quantile, mean and deviation, the maximum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo.postprocess.background import Normalisation
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.mebin import ERODE_PX, SHORTEST_RUN, STEP
from zoo.postprocess.rules.base import NormalScores, Rule
from zoo.postprocess.score_maps import Scenes


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
        super().__post_init__()
        self.require("q", 0 < self.q <= 1, "it must lie in (0, 1]")
        self.require("factor", 0 < self.factor < np.inf, "it must be greater than 0")
        self.require_normalisation(self.normalisation)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean, self.normalisation)
        return self.calibration(normal, split, threshold=normal.quantile(self.q) * self.factor)


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
        super().__post_init__()
        self.require("k", bool(np.isfinite(self.k)), "it must be a number")
        self.require_normalisation(self.normalisation)

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
        super().__post_init__()
        self.require("factor", 0 < self.factor < np.inf, "it must be greater than 0")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean)
        return self.calibration(normal, split, threshold=normal.quantile(1.0) * self.factor)


@dataclass(frozen=True)
class Mebin(Rule):
    """Each image gets the threshold under which its blobs stay the same for longest.

    Sources and differences from the reference: `zoo.postprocess.mebin`.

    Attributes:
        q: The lowest threshold is this quantile of the peaks of normal images; 1 is the largest.
        step: Levels, of 255, between two thresholds that are tried.
        shortest_run: Over so many thresholds the number of blobs must stay the same.
        erode_px: Side of the square that masks are eroded by; the reference takes 6.
    """

    q: float = 1.0
    step: int = STEP
    shortest_run: int = SHORTEST_RUN
    erode_px: int = field(default=ERODE_PX, kw_only=True)  # as in `Rule`, by name only

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("q", 0 <= self.q <= 1, "it must lie in [0, 1]")
        self.require("step", 1 <= self.step <= 127, "it must lie in 1..127")
        self.require("shortest_run", self.shortest_run >= 1, "it must be 1 or more")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean)
        peaks = [float(score_map.max()) for score_map in scenes.clean]
        lowest = float(np.quantile(peaks, self.q, method="inverted_cdf"))
        sweep = {"step": self.step, "shortest_run": self.shortest_run}
        return self.calibration(normal, split, threshold=lowest, sweep=sweep)
