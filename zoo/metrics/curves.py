"""Threshold-free metrics of score maps at native size: pixel AUROC, oracle SegF1, AU-PRO.

Source: AU-PRO as the evaluation server of MVTec AD 2 defines it; the ground-truth regions are the
8-connected components of each mask. No pixel is kept: three histograms hold a whole split.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from zoo.metrics.histogram import ScoreHistogram, common_parts
from zoo.metrics.ranking import au_pro_from_counts, auroc_from_counts, best_f1
from zoo.metrics.segf1 import binary_mask
from zoo.utils.errors import ZooError


def region_weights(truth: np.ndarray) -> tuple[np.ndarray, int]:
    """Return 1 / (area of its region) for every defect pixel, and the number of regions.

    Args:
        truth: (H, W) bool with at least one defect pixel.

    Returns:
        float64 in the order of `scores[truth]`: each region sums to one.

    Example:
        >>> region_weights(np.array([[1, 0, 0, 1], [0, 1, 0, 0]], bool))
        (array([0.5, 1. , 0.5]), 2)
    """
    count, labels = cv2.connectedComponents(truth.view(np.uint8), connectivity=8)
    inside = labels[truth]
    return 1.0 / np.bincount(inside, minlength=count)[inside], count - 1


@dataclass
class PixelScores:
    """Scores of all pixels of one object and split; metrics of parts add up with `+`.

    A metric is None where it is undefined: without a defect pixel, or without a normal one.

    Attributes:
        normal: Scores of pixels outside the ground truth, normal images included.
        defect: Scores of pixels inside it.
        region: The same, each pixel weighted with 1 / (area of its region).
        n_regions: Number of ground-truth regions.

    Example:
        >>> pixels = PixelScores()
        >>> pixels.update(np.array([[0.1, 0.2, 0.9]], np.float32), np.array([[0, 0, 1]], bool))
        >>> pixels.pixel_auroc, pixels.oracle_segf1, pixels.au_pro()
        (1.0, 1.0, 1.0)
    """

    normal: ScoreHistogram = field(default_factory=ScoreHistogram)
    defect: ScoreHistogram = field(default_factory=ScoreHistogram)
    region: ScoreHistogram = field(default_factory=ScoreHistogram)
    n_regions: int = 0

    def update(self, score_map: np.ndarray, truth: np.ndarray) -> None:
        """Count one image at its native size.

        Args:
            score_map: (H, W) raw scores of any real dtype, larger is more anomalous.
            truth: (H, W) bool or uint8, not 0 inside defects; empty for a normal image.

        Raises:
            ZooError: The shapes differ, a score is NaN or infinite, or the truth is no mask;
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
        return PixelScores(
            self.normal + other.normal,
            self.defect + other.defect,
            self.region + other.region,
            self.n_regions + other.n_regions,
        )

    @property
    def pixel_auroc(self) -> float | None:
        """AUROC over pixels, 0..1; scores of one bin count as ties."""
        return auroc_from_counts(*self._levels()[1:3])

    @property
    def oracle_segf1(self) -> float | None:
        """Largest SegF1 of one threshold chosen with the truth in hand: a bound, not a result."""
        best = best_f1(*self._levels()[1:3])
        return None if best is None else best[0]

    @property
    def oracle_threshold(self) -> float | None:
        """The threshold of `oracle_segf1`: a pixel is marked when `score >= threshold`."""
        values, normal, defect, _ = self._levels()
        best = best_f1(normal, defect)
        return None if best is None else float(values[best[1]])

    def au_pro(self, limit: float = 0.05) -> float | None:
        """Area under per-region overlap up to a false-positive rate, see `au_pro_from_counts`."""
        _, normal, _, region = self._levels()
        return au_pro_from_counts(normal, region, self.n_regions, limit)

    def _levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the levels that any pixel has, and normal, defect and region counts at them."""
        parts = common_parts(self.normal, self.defect, self.region)
        values = np.unique(np.concatenate([lower for lower, _, _ in parts]))
        columns = np.zeros((3, values.size))
        for column, (lower, _, counts) in zip(columns, parts, strict=True):
            column[np.searchsorted(values, lower)] = counts
        return values, columns[0], columns[1], columns[2]
