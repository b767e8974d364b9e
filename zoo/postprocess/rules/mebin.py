"""MEBin as a rule: normal images set the lowest score that a threshold of any image may take.

Sources and differences from the reference: `zoo.postprocess.mebin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.mebin import ERODE_PX, SHORTEST_RUN, STEP
from zoo.postprocess.rules.base import NormalScores, Rule
from zoo.postprocess.scenes import Scenes


@dataclass(frozen=True)
class Mebin(Rule):
    """Each image gets the threshold under which its blobs stay the same for longest.

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
        """Check the parameters."""
        super().__post_init__()
        if not 0 <= self.q <= 1:
            self.refuse("q", "it must lie in [0, 1]")
        if not 1 <= self.step <= 127:
            self.refuse("step", "it must lie in 1..127")
        if self.shortest_run < 1:
            self.refuse("shortest_run", "it must be 1 or more")

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean)
        peaks = [float(each.max()) for each in scenes.clean]
        lowest = float(np.quantile(peaks, self.q, method="inverted_cdf"))
        sweep = {"step": self.step, "shortest_run": self.shortest_run}
        return self.calibration(normal, split, threshold=lowest, sweep=sweep)
