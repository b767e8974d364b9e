"""What all calibration rules share: the interface, the shape of masks, and the record.

A rule is a pure function from score maps of normal images to a `Calibration`. It reads maps at
native size, one after the other, and keeps only counts of them. Its parameters are the same for
every object; what differs between objects is derived from normal images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from zoo.metrics import ScoreHistogram
from zoo.postprocess.background import NORMALISATIONS, Normalisation, normalised
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.score_maps import Scenes
from zoo.utils.errors import ZooError

SHAPE = ("min_area_px", "close_px", "fill_holes_px", "erode_px", "border_px")


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """Base of all calibration rules; the parameters here are handed on to the calibration.

    Attributes:
        min_area_px: Smallest blob that is kept, in pixels of the native image.
        close_px: Length of gaps that are bridged along lines.
        fill_holes_px: Area up to which enclosed holes are filled.
        erode_px: Side of the square that masks are eroded by.
        border_px: Width of a frame in which nothing counts.
    """

    # What besides clean maps a rule reads: "relit", "defects".
    needs: ClassVar[frozenset[str]] = frozenset()

    min_area_px: int = 10
    close_px: int = 0
    fill_holes_px: int = 0
    erode_px: int = 0
    border_px: int = 0

    def __post_init__(self) -> None:
        for name in SHAPE:
            value = getattr(self, name)
            is_size = isinstance(value, Integral) and int(value) >= 0
            self.require(name, is_size, "it must be a whole number, 0 or more")

    def __call__(
        self, score_maps: Scenes | Iterable[np.ndarray], split: str = "validation"
    ) -> Calibration:
        """Derive a calibration from the score maps of normal images.

        Args:
            score_maps: Scenes, or raw score maps of normal images at native size, (H, W) each.
            split: Where the images came from, for the record.

        Raises:
            ZooError: There is no map, or a kind that the rule needs is missing.
        """
        scenes = Scenes.of(score_maps)
        if not len(scenes.clean):
            raise ZooError("no normal image to calibrate on: add images to validation/good")
        for kind in sorted(self.needs):
            if not len(getattr(scenes, kind)):
                raise ZooError(
                    f"the rule {type(self).__name__} reads {kind} score maps, and only runs of the "
                    "zoo make them: use zoo train, bench, fit or calibrate, or another rule"
                )
        return self.derive(scenes, split)

    @abstractmethod
    def derive(self, scenes: Scenes, split: str) -> Calibration:
        """Derive the calibration; `scenes` holds what the rule needs."""

    def map_only(self) -> Rule:
        """Return the rule to use where only clean maps exist; itself if it needs no others."""
        if not self.needs:
            return self
        raise ZooError(f"the rule {type(self).__name__} needs {', '.join(sorted(self.needs))} maps")

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as plain data, the rule's own before those of all rules."""
        given = asdict(self)
        shape = {name: given.pop(name) for name in SHAPE}
        return {**given, **shape}

    def require(self, parameter: str, holds: bool, why: str) -> None:
        """Raise a `ZooError` about a parameter unless a condition holds."""
        if not holds:
            value = getattr(self, parameter)
            raise ZooError(f"{type(self).__name__}: {parameter} is {value}, {why}")

    def require_normalisation(self, value: str) -> None:
        """Raise a `ZooError` unless the value of `normalisation` is one."""
        choices = ", ".join(NORMALISATIONS)
        self.require("normalisation", value in NORMALISATIONS, f"choose from {choices}")

    def calibration(self, normal: NormalScores, split: str, **numbers: Any) -> Calibration:
        """Return a calibration with the rule's own parameters and the record filled in."""
        shape = {name: getattr(self, name) for name in SHAPE}
        return Calibration(
            **{**shape, **numbers},
            normalisation=normal.normalisation,
            spread_floor=normal.spread_floor,
            rule=type(self).__name__,
            parameters=self.parameters(),
            split=split,
            n_images=normal.n_images,
            n_pixels=int(normal.histogram.total),
            normal_min=normal.quantile(0.0),
            normal_max=normal.quantile(1.0),
        )


class NormalScores:
    """Histogram, mean and standard deviation of all pixels of normal maps, after normalisation.

    Args:
        maps: Raw maps, (H, W) each.
        normalisation: See `zoo.postprocess.background`.
        spread_floor: Smallest spread that "robust" divides by.
    """

    def __init__(
        self,
        maps: Iterable[np.ndarray],
        normalisation: Normalisation = "none",
        spread_floor: float = 0.0,
    ) -> None:
        self.normalisation: Normalisation = normalisation
        self.spread_floor = spread_floor
        self.histogram = ScoreHistogram()
        self.n_images = 0
        self._origin: float | None = None
        self._sum = self._squares = 0.0  # of scores less the origin
        for score_map in maps:
            scores = normalised(score_map, normalisation, spread_floor)
            self.histogram.update(scores)
            if self._origin is None and scores.size:
                # Squares of large scores that differ little would drown what they differ by.
                self._origin = float(scores.flat[0])
            wide = scores.astype(np.float64)
            wide -= self._origin or 0.0
            self._sum += float(wide.sum())
            self._squares += float(np.einsum("ij,ij->", wide, wide))
            self.n_images += 1

    def quantile(self, share: float) -> float:
        """Return a quantile of all pixels, exact to 2**-12 of its value."""
        value = self.histogram.quantile(share)
        assert value is not None, "a map has pixels"
        return value

    @property
    def mean(self) -> float:
        """Mean score."""
        return (self._origin or 0.0) + self._sum / self.histogram.total

    @property
    def std(self) -> float:
        """Standard deviation of the scores."""
        total = self.histogram.total
        variance = self._squares / total - (self._sum / total) ** 2
        return float(np.sqrt(max(variance, 0.0)))
