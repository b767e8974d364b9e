"""Calibration rules: pure functions from score maps of normal images to a `Calibration`.

A rule sees maps at native size, one after the other, and keeps only counts of them. Its parameters
are the same for every object; what differs between objects is derived from normal images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from zoo.errors import ZooError
from zoo.metrics import ScoreHistogram
from zoo.post.calibration import Calibration


class Rule(ABC):
    """Base of all calibration rules."""

    @abstractmethod
    def __call__(self, score_maps: Iterable[np.ndarray], split: str = "validation") -> Calibration:
        """Derive a calibration from the score maps of normal images.

        Args:
            score_maps: Raw score maps of normal images at native size, each (H, W) float32.
            split: Where the images came from, for the record.

        Raises:
            ZooError: There is no map.
        """


@dataclass(frozen=True)
class Quantile(Rule):
    """A high quantile of all normal pixel scores, times a factor, and a fixed smallest blob.

    Attributes:
        q: Share of normal pixels at or below the threshold before the factor, in (0, 1].
        factor: The threshold is the quantile times this. (With negative scores it would lower the
            threshold: such methods keep factor 1.)
        min_area_px: Smallest blob that is kept, in pixels of the native image.
    """

    q: float = 0.999
    factor: float = 1.0
    min_area_px: int = 10

    def __post_init__(self) -> None:
        """Check the parameters where they are written, not after hours of fitting."""
        if not 0 < self.q <= 1:
            raise ZooError(f"Quantile: q is {self.q}, it must lie in (0, 1]")
        if not 0 < self.factor < np.inf:
            raise ZooError(f"Quantile: factor is {self.factor}, it must be greater than 0")
        if self.min_area_px < 0:
            raise ZooError(f"Quantile: min_area_px is {self.min_area_px}, it must be 0 or more")

    def __call__(self, score_maps: Iterable[np.ndarray], split: str = "validation") -> Calibration:
        """See `Rule`; the quantile is exact to 2.5e-4 of its value."""
        histogram, n_images = ScoreHistogram(), 0
        for score_map in score_maps:
            histogram.update(score_map)
            n_images += 1
        if n_images == 0:
            raise ZooError("no normal image to calibrate on: add images to validation/good")
        return Calibration(
            threshold=float(histogram.quantile(self.q)) * self.factor,
            min_area_px=self.min_area_px,
            rule=type(self).__name__,
            parameters=asdict(self),
            split=split,
            n_images=n_images,
            n_pixels=int(histogram.total),
            normal_min=float(histogram.quantile(0.0)),
            normal_max=float(histogram.quantile(1.0)),
        )
