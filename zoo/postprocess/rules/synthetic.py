"""The rule that looks for the best threshold on defects that were painted into normal images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from zoo.metrics import PixelScores, ScoreHistogram
from zoo.metrics.histogram import common_parts
from zoo.postprocess.background import Normalisation, normalised
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules.base import SHAPE, NormalScores, Rule
from zoo.postprocess.rules.midway import Midway
from zoo.postprocess.score_maps import Scenes
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class SyntheticDefects(Rule):
    """The threshold with the best F1 on synthetic defects, never below a quantile of normal pixels.

    Attributes:
        lowest_q: Quantile of normal pixels that the threshold does not fall below.
        normalisation: What is taken off each image's own map first.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"defects"})

    lowest_q: float = 0.99
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("lowest_q", 0 <= self.lowest_q <= 1, "it must lie in [0, 1]")
        self.require_normalisation(self.normalisation)

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`."""
        normal = NormalScores(scenes.clean, self.normalisation)
        pixels = PixelScores(normal=normal.histogram + ScoreHistogram())
        for score_map, mask in zip(scenes.defects, scenes.defect_masks, strict=True):
            pixels.update(normalised(score_map, self.normalisation, normal.spread_floor), mask)
        threshold = max(_best_threshold(pixels), normal.quantile(self.lowest_q))
        return self.calibration(normal, split, threshold=threshold)

    def map_only(self) -> Rule:
        """Return `Midway` of the same normalisation and shape: it needs no defects."""
        shape = {name: getattr(self, name) for name in SHAPE}
        return Midway(normalisation=self.normalisation, **shape)


def _best_threshold(pixels: PixelScores) -> float:
    """Return the threshold with the best F1, in the middle between what it parts."""
    best = pixels.oracle_threshold
    if best is None:
        raise ZooError("SyntheticDefects: the masks of the synthetic defects are all empty")
    # Marked is what is greater, and `best` itself is to be marked. Halfway to the next lower score
    # this still holds after rounding, when each image's own level is added.
    below = np.nextafter(np.float32(best), np.float32(-np.inf))
    parts = common_parts(pixels.normal, pixels.defect, pixels.region)
    unmarked = np.concatenate([upper[lower < best] for lower, upper, _ in parts])
    return float(min(below, (unmarked.max() + best) / 2) if unmarked.size else below)
