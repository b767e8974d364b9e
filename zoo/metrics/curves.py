"""Threshold-free metrics of score maps at native size: pixel AUROC, oracle SegF1, AU-PRO.

Sources: AU-PRO as the evaluation server of MVTec AD 2 defines it; the ground-truth regions are
the 8-connected components of each mask. No pixel is kept: three histograms hold a whole split.
Small sets can have every score counted as it is, see `PixelScores.exact`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from zoo.metrics.exact import ExactScores
from zoo.metrics.histogram import ScoreHistogram, common_parts
from zoo.metrics.ranking import au_pro_from_counts, auroc_from_counts, best_f1, tied_pairs
from zoo.metrics.segf1 import binary_mask
from zoo.utils.errors import ZooError

Scores = ScoreHistogram | ExactScores
_PARTS = ("normal", "defect", "region")


def region_weights(truth: np.ndarray) -> tuple[np.ndarray, int]:
    """Return 1 / (area of its region) for every defect pixel, so that each region sums to one.

    Args:
        truth: (H, W) bool with at least one defect pixel.

    Returns:
        (defect pixels,) float64 in the order of ``scores[truth]``, and the number of regions.

    Example:
        >>> region_weights(np.array([[1, 0, 0, 1], [0, 1, 0, 0]], bool))
        (array([0.5, 1. , 0.5]), 2)
    """
    count, labels = cv2.connectedComponents(truth.view(np.uint8), connectivity=8)
    inside = labels[truth]
    return 1.0 / np.bincount(inside, minlength=count)[inside], count - 1


@dataclass
class PixelScores:
    """Scores of all pixels of one object and split; metrics of parts add up with ``+``.

    A metric is None where it is undefined: without a defect pixel, or without a normal one.

    Attributes:
        normal: Scores of pixels outside the ground truth, good images included.
        defect: Scores of pixels inside it.
        region: The same, each pixel weighted with 1 / (area of its region).
        n_regions: Number of ground-truth regions.

    Example:
        >>> pixels = PixelScores()
        >>> pixels.update(np.array([[0.1, 0.2, 0.9]], np.float32), np.array([[0, 0, 1]], bool))
        >>> pixels.pixel_auroc, pixels.oracle_segf1, pixels.au_pro()
        (1.0, 1.0, 1.0)
    """

    normal: Scores = field(default_factory=ScoreHistogram)
    defect: Scores = field(default_factory=ScoreHistogram)
    region: Scores = field(default_factory=ScoreHistogram)
    n_regions: int = 0

    @classmethod
    def exact(cls) -> PixelScores:
        """Return metrics without bins, for sets of up to 33 million distinct scores.

        They add up with others of their kind; with histograms they do not.
        """
        return cls(ExactScores(), ExactScores(), ExactScores())

    @property
    def is_exact(self) -> bool:
        """Whether every score counts as it is."""
        return isinstance(self.normal, ExactScores)

    def update(self, score_map: np.ndarray, truth: np.ndarray) -> None:
        """Count one image at its native size.

        Args:
            score_map: (H, W) raw scores of any real dtype, larger is more anomalous.
            truth: (H, W) bool or uint8, not 0 inside defects; empty for a good image.

        Raises:
            ZooError: If the shapes differ, a score is NaN or infinite, or the truth is no mask;
                nothing is counted then.
        """
        score_map = np.asarray(score_map)
        truth = np.ascontiguousarray(binary_mask(truth, "truth"))
        if score_map.shape != truth.shape:
            raise ZooError(
                f"score map has shape {score_map.shape} but truth {truth.shape}; "
                "resize the map to native size"
            )
        self.normal.update(score_map, name="score map")
        if not truth.any():
            return
        # Nothing is labelled, sorted out or copied outside the box around the defects.
        left, top, width, height = cv2.boundingRect(truth.view(np.uint8))
        box = (slice(top, top + height), slice(left, left + width))
        inside = np.ascontiguousarray(truth[box])
        scores = score_map[box][inside]
        # Counting all and taking the few back is faster than picking the many normal pixels.
        self.normal.update(scores, weight=-1.0)
        self.defect.update(scores)
        weights, regions = region_weights(inside)
        self.region.update(scores, weights)
        self.n_regions += regions

    def __add__(self, other: PixelScores) -> PixelScores:
        if self.is_exact != other.is_exact:
            raise ZooError("exact scores and histograms do not add up: make all parts alike")
        merged = [getattr(self, part) + getattr(other, part) for part in _PARTS]
        return PixelScores(*merged, n_regions=self.n_regions + other.n_regions)

    @property
    def pixel_auroc(self) -> float | None:
        """AUROC over pixels, 0..1; scores of one bin count as ties."""
        return auroc_from_counts(*self._levels()[1:3])

    @property
    def pixel_auroc_error(self) -> float | None:
        """How far at most ``pixel_auroc`` is from exact; true ties count as if bins made them."""
        tied = tied_pairs(*self._levels()[1:3])
        if tied is None:
            return None
        return 0.0 if self.is_exact else tied / 2

    @property
    def oracle_segf1(self) -> float | None:
        """Largest SegF1 of one threshold chosen with the truth in hand: a bound, not a result."""
        best = best_f1(*self._levels()[1:3])
        return None if best is None else best[0]

    @property
    def oracle_threshold(self) -> float | None:
        """The threshold of ``oracle_segf1``: a pixel is marked when ``score >= threshold``."""
        values, normal, defect, _ = self._levels()
        best = best_f1(normal, defect)
        return None if best is None else float(values[best[1]])

    def au_pro(self, limit: float = 0.05) -> float | None:
        """Area under per-region overlap up to a false-positive rate, 0..1; see `ranking`."""
        _, normal, _, region = self._levels()
        return au_pro_from_counts(normal, region, self.n_regions, limit)

    def _levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the levels that any pixel has, and normal, defect and region counts at them."""
        found = [getattr(self, part) for part in _PARTS]
        if self.is_exact:
            parts = [each.levels() for each in found]
        else:
            parts = [(lower, counts) for lower, _, counts in common_parts(*found)]
        values = np.unique(np.concatenate([part_values for part_values, _ in parts]))
        columns = []
        for part_values, counts in parts:
            column = np.zeros(values.size)
            column[np.searchsorted(values, part_values)] = counts
            columns.append(column)
        return values, *columns
