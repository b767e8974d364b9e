"""A calibration rule of the package's own."""

from dataclasses import dataclass

from zoo.postprocess import Calibration
from zoo.postprocess.rules import Rule
from zoo.postprocess.rules.base import NormalScores
from zoo.postprocess.score_maps import Scenes


@dataclass(frozen=True)
class MeanOfMaxima(Rule):
    """The threshold is the mean of the largest scores of the normal images."""

    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """See `Rule`; a score map is float32 of shape (H, W)."""
        maxima = [float(score_map.max()) for score_map in scenes.clean]
        normal = NormalScores(scenes.clean)
        return self.calibration(normal, split, threshold=sum(maxima) / len(maxima))
