"""Score maps as float16: one affine map per object, from normal images, for all of its images.

Half precision keeps 11 bits. Scores around 1,000 that differ by 0.1 fall together there, and beyond
65,504 there is only infinity: raw scores would lose their order, and AU-PRO with it. So an object's
scores are shifted and scaled such that those of normal images lie in [0, 1]. Small numbers are the
finest in half precision, so that one outlier among the normal pixels does not coarsen the others.
A map of its own for every image would destroy the order between images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zoo.utils.errors import ZooError

LARGEST = float(np.finfo(np.float16).max)  # 65504


@dataclass(frozen=True)
class Affine:
    """`(score - offset) / scale`, the same for all images of an object.

    Attributes:
        offset: The score that becomes 0.
        scale: Greater than 0; the score `offset + scale` becomes 1.
    """

    offset: float
    scale: float

    @classmethod
    def of_range(cls, lowest: float, highest: float) -> Affine:
        """Return the map that takes the scores of normal images to [0, 1].

        Args:
            lowest: Smallest raw score of a normal pixel.
            highest: Largest raw score of a normal pixel; where it is the smallest one too, scores
                are shifted only.

        Raises:
            ZooError: Not a range.
        """
        if not (math.isfinite(lowest) and math.isfinite(highest) and lowest <= highest):
            raise ZooError(
                f"normal scores from {lowest} to {highest} are no range: calibrate the run again"
            )
        return cls(float(lowest), float(highest - lowest) or 1.0)

    @classmethod
    def of_maps(cls, score_maps: Iterable[np.ndarray]) -> Affine:
        """Return the map of normal images' raw score maps, each (h, w)."""
        ranges = [(float(each.min()), float(each.max())) for each in score_maps]
        if not ranges:
            raise ZooError("no score map of a normal image: nothing to scale by")
        lowest, highest = zip(*ranges, strict=True)
        return cls.of_range(min(lowest), max(highest))

    def encode(self, score_map: np.ndarray) -> tuple[np.ndarray, int]:
        """Return a raw map, float32 (H, W), as float16, and how many scores were cut to its range.

        The order of scores is kept: of two scores, the larger never becomes the smaller.
        """
        # In float32, where neither step can turn an order around.
        scaled = (score_map - np.float32(self.offset)) * np.float32(1 / self.scale)
        n_cut = int(np.count_nonzero(np.abs(scaled) > LARGEST))
        if n_cut:
            np.clip(scaled, -LARGEST, LARGEST, out=scaled)
        return scaled.astype(np.float16), n_cut
