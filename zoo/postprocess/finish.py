"""The one function that makes masks: score map and calibration in, mask and table of blobs out.

Evaluation, prediction, submission and exported models all call it, so that a mask never depends on
the caller, nor on any other image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from zoo.postprocess.background import background
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.mebin import swept_threshold
from zoo.postprocess.morphology import clean_mask
from zoo.postprocess.score_maps import to_native


@dataclass(frozen=True)
class Blob:
    """One 8-connected region that was marked as defective.

    Attributes:
        id: Its rank, from 1: the largest peak first.
        area_px: Pixels of the native image.
        box: x, y, width, height in pixels.
        centroid: x, y in pixels.
        peak: Largest raw score inside.
        mean: Mean raw score inside.
        integrated: Sum of the raw scores inside.
    """

    id: int
    area_px: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    peak: float
    mean: float
    integrated: float

    def to_dict(self) -> dict[str, Any]:
        """Return the blob as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Finished:
    """Mask, score map and blobs of one image.

    Attributes:
        mask: bool array of shape (H, W), True where defective.
        score_map: The raw score map at native size, float32 (H, W).
        blobs: The regions of the mask, largest peak first.
    """

    mask: np.ndarray
    score_map: np.ndarray
    blobs: list[Blob] = field(default_factory=list)

    @property
    def is_anomalous(self) -> bool:
        """Whether any blob was kept, so that the mask agrees."""
        return bool(self.blobs)


def finish(
    score_map: np.ndarray,
    native_size: tuple[int, int],
    calibration: Calibration,
) -> Finished:
    """Turn a raw score map into the mask of its image.

    Args:
        score_map: Raw scores at any size, shape (h, w); larger = more anomalous.
        native_size: (H, W) of the image in pixels.
        calibration: Thresholds and blob limits.

    Raises:
        ZooError: The map is not two-dimensional or holds scores that are not finite.
    """
    score_map = to_native(score_map, native_size)  # (H, W)
    level, spread = background(score_map, calibration.normalisation, calibration.spread_floor)
    # Thresholds go to the raw scores, rather than every score to the thresholds.
    threshold = level + spread * calibration.threshold
    if calibration.sweep is not None:
        threshold = swept_threshold(score_map, threshold, calibration.sweep, calibration.erode_px)
    candidates = clean_mask(
        (score_map > threshold).view(np.uint8),
        calibration.close_px,
        calibration.fill_holes_px,
        calibration.erode_px,
        calibration.border_px,
    )
    left, top, width, height = cv2.boundingRect(candidates)
    mask = np.zeros(candidates.shape, bool)
    if width == 0:
        return Finished(mask, score_map)
    box = slice(top, top + height), slice(left, left + width)
    components = Components.of(candidates[box], score_map[box])
    keep = components.areas >= calibration.min_area_px
    if calibration.seed_threshold is not None:
        keep &= components.peaks > level + spread * calibration.seed_threshold
    if calibration.min_mass:
        # Divided as in `zoo.postprocess.rules.budget`: no rounding may let a normal blob back in.
        keep &= components.mass_above(threshold) / spread >= calibration.min_mass
    keep[0] = False  # label 0 is the background
    mask[box] = keep[components.labels]
    return Finished(mask, score_map, components.blobs(keep, left, top))


@dataclass(frozen=True)
class Components:
    """The 8-connected components of a binary image with the scores inside; index 0 is background.

    Attributes:
        labels: int32 (H, W).
        statistics: int32 (n, 5), OpenCV's columns.
        centroids: float64 (n, 2), x and y.
        peaks: float32 (n,), largest score of each.
        sums: float64 (n,), sum of the scores of each.
        owner: int32 (p,), label of every candidate pixel, row by row.
        scores: float32 (p,), score of the same pixels.
    """

    labels: np.ndarray
    statistics: np.ndarray
    centroids: np.ndarray
    peaks: np.ndarray
    sums: np.ndarray
    owner: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, candidates: np.ndarray, score_map: np.ndarray) -> Components:
        """Label candidates, uint8 (H, W), and measure the scores under them, float32 (H, W)."""
        count, labels, statistics, centroids = cv2.connectedComponentsWithStats(
            candidates, connectivity=8, ltype=cv2.CV_32S
        )
        inside = candidates.view(bool)
        owner, scores = labels[inside], score_map[inside]
        peaks = np.full(count, -np.inf, dtype=np.float32)
        np.maximum.at(peaks, owner, scores)
        sums = np.bincount(owner, weights=scores, minlength=count)
        return cls(labels, statistics, centroids, peaks, sums, owner, scores)

    @property
    def areas(self) -> np.ndarray:
        """Pixels of each component, int32 (n,)."""
        return self.statistics[:, cv2.CC_STAT_AREA]

    def mass_above(self, threshold: float) -> np.ndarray:
        """Return the sum of what scores of each component exceed a threshold by, float64 (n,).

        Pixels below it, which closing and filling bring along, add nothing.
        """
        excess = np.maximum(self.scores - np.float64(threshold), 0.0)
        return np.bincount(self.owner, weights=excess, minlength=len(self.statistics))

    def blobs(self, keep: np.ndarray, left: int = 0, top: int = 0) -> list[Blob]:
        """Return the kept components, largest peak first, moved by an offset in pixels."""
        kept = np.flatnonzero(keep)
        ordered = kept[np.argsort(-self.peaks[kept], kind="stable")]
        boxes = self.statistics[ordered] + np.array([left, top, 0, 0, 0])
        # A noisy map may hold thousands: plain lists are read much faster than arrays.
        columns = (
            boxes.tolist(),
            (self.centroids[ordered] + np.array([left, top])).tolist(),
            self.peaks[ordered].tolist(),
            self.sums[ordered].tolist(),
        )
        return [
            Blob(rank, area, (x, y, width, height), (across, down), peak, total / area, total)
            for rank, ((x, y, width, height, area), (across, down), peak, total) in enumerate(
                zip(*columns, strict=True), start=1
            )
        ]
