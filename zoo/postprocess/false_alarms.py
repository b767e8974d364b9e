"""The rate of false alarms to expect among normal images.

Counted on images that set the thresholds, it would be too low. So each image is evaluated by
thresholds that the others gave (cross-fitting), or by thresholds from other images altogether.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any

import numpy as np

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.postprocess.rules import Rule
from zoo.postprocess.score_maps import Scenes, ScoreMaps

_FOLDS = 5
_Z95 = 1.959964  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True)
class FalseAlarms:
    """Counts among normal images.

    Attributes:
        n_images: How many were evaluated.
        n_alarms: How many of them kept a blob.
        n_blobs: How many blobs they kept together.
        held_out: Whether the thresholds come from other images.
    """

    n_images: int
    n_alarms: int
    n_blobs: int
    held_out: bool

    @property
    def per_1000(self) -> float:
        """False alarms to expect among 1,000 normal images."""
        return 1000 * self.n_alarms / self.n_images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of `per_1000`; images are taken as independent."""
        n, share, z2 = self.n_images, self.n_alarms / self.n_images, _Z95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return 1000 * max(0.0, middle - half), 1000 * min(1.0, middle + half)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and what follows from them as plain data."""
        low, high = self.interval
        return {**asdict(self), "per_1000": self.per_1000, "low_1000": low, "high_1000": high}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FalseAlarms:
        """Rebuild the counts from plain data."""
        return cls(**{entry.name: data[entry.name] for entry in fields(cls)})

    def describe(self) -> str:
        """Return in one line what to expect."""
        low, high = self.interval
        origin = "other images" if self.held_out else "the same images"
        return (
            f"false alarms to expect: {self.per_1000:.0f} ({low:.0f} to {high:.0f}) of 1,000 "
            f"normal images, from {self.n_images} evaluated by thresholds of {origin}"
        )


def count_false_alarms(
    calibration: Calibration, score_maps: Iterable[np.ndarray], held_out: bool
) -> FalseAlarms:
    """Count the false alarms that given thresholds cause on normal images.

    Args:
        calibration: The thresholds.
        score_maps: Raw maps of normal images at native size, (H, W) each, one or more.
        held_out: Whether the thresholds come from other images.
    """
    kept = [len(finish(m, (m.shape[0], m.shape[1]), calibration).blobs) for m in score_maps]
    return FalseAlarms(len(kept), sum(n > 0 for n in kept), sum(kept), held_out)


def expected_false_alarms(rule: Rule, score_maps: Scenes | ScoreMaps) -> FalseAlarms | None:
    """Evaluate every normal image by the thresholds that a rule derives from the others.

    Args:
        rule: The rule.
        score_maps: Scenes, of which the clean maps are evaluated, or raw maps of normal images at
            native size; they are read several times.

    Returns:
        The counts, or None for a single image, which leaves none to learn from.
    """
    scenes = Scenes.of(score_maps)
    n_images = len(scenes.clean)
    if n_images < 2:
        return None
    fold_of = _folds(scenes)
    n_alarms = n_blobs = 0
    for fold in range(fold_of.max() + 1):
        calibration = rule(scenes.subset(fold_of != fold))
        left_out = scenes.subset(fold_of == fold).clean
        counts = count_false_alarms(calibration, left_out, held_out=True)
        n_alarms, n_blobs = n_alarms + counts.n_alarms, n_blobs + counts.n_blobs
    return FalseAlarms(n_images, n_alarms, n_blobs, held_out=True)


def _folds(scenes: Scenes) -> np.ndarray:
    """Return the fold of each image: every fifth, not runs of neighbours, as series drift."""
    n_images = len(scenes.clean)
    # Changed images are dealt out first, so that a rule finds some whatever fold is left out.
    rest = sorted(set(range(n_images)) - set(scenes.changed))
    fold_of = np.empty(n_images, int)
    fold_of[[*scenes.changed, *rest]] = np.arange(n_images) % min(_FOLDS, n_images)
    return fold_of
