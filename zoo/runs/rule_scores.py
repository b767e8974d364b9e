"""Histograms of scores as the threshold rule sees them, for curves that show where its limits lie.

A rule may take each image's own background off its map first (`zoo.postprocess.background`); raw
scores and its thresholds then have no common axis. These histograms have. They count a grid of
pixels of each image, which is enough for a curve; metrics are computed from all pixels of the raw
maps.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics import PixelScores
from zoo.postprocess.background import normalised
from zoo.postprocess.calibration import Calibration

_MOST_PIXELS = 1 << 16  # of one image


class RuleScores:
    """Scores of one split in units of the thresholds, by truth.

    Args:
        calibration: Whose normalisation is taken.

    Attributes:
        pixels: The histograms.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.pixels = PixelScores()

    def update(self, score_map: np.ndarray, truth: np.ndarray | None) -> None:
        """Count one image.

        Args:
            score_map: Raw scores at native size, (H, W).
            truth: bool (H, W); where it is None nothing is counted.
        """
        if truth is None:
            return
        step = max(1, int(np.ceil(np.sqrt(score_map.size / _MOST_PIXELS))))
        rule = self.calibration
        scores = normalised(score_map, rule.normalisation, rule.spread_floor)
        self.pixels.update(scores[::step, ::step], truth[::step, ::step])
