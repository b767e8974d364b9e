"""The one function that makes masks: score map and calibration in, mask and table of blobs out.

Numpy and OpenCV only. Evaluation, prediction, submission and exported models all call it, so that
a mask never depends on who asked for it, nor on any other image.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import cv2
import numpy as np

from zoo.post.calibration import Calibration
from zoo.post.resize import to_native


@dataclass(frozen=True)
class Blob:
    """One 8-connected region that was marked as defective.

    Attributes:
        id: Its number in the label image, from 1.
        area_px: Pixels of the native image.
        box: x, y, width, height in pixels.
        centroid: x, y in pixels.
        peak: Largest raw score inside.
        mean: Mean raw score inside.
    """

    id: int
    area_px: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    peak: float
    mean: float

    def to_dict(self) -> dict:
        """Return the blob as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Finished:
    """The judgement of one image.

    Attributes:
        mask: bool array of shape (H, W), True where defective.
        blobs: The regions of the mask, largest peak first.
        score_map: The raw score map at native size, float32 (H, W).
    """

    mask: np.ndarray
    score_map: np.ndarray
    blobs: list[Blob] = field(default_factory=list)

    @property
    def is_anomalous(self) -> bool:
        """Whether any blob was kept; verdict and mask always agree."""
        return bool(self.blobs)


def finish(
    score_map: np.ndarray, native_size: tuple[int, int], calibration: Calibration
) -> Finished:
    """Turn a raw score map into the mask of its image.

    Args:
        score_map: Raw scores at any size, shape (h, w); larger = more anomalous.
        native_size: (H, W) of the image in pixels.
        calibration: Threshold and blob limits.

    Raises:
        ZooError: The map is not two-dimensional or holds scores that are not finite.
    """
    score_map = to_native(score_map, native_size)  # (H, W)
    candidates = (score_map > calibration.threshold).astype(np.uint8)
    if not candidates.any():
        return Finished(candidates.astype(bool), score_map)
    count, labels, statistics, centroids = cv2.connectedComponentsWithStats(
        candidates, connectivity=8, ltype=cv2.CV_32S
    )
    areas = statistics[:, cv2.CC_STAT_AREA]
    keep = areas >= calibration.min_area_px
    keep[0] = False  # label 0 is the background
    kept = np.flatnonzero(keep)
    blobs = _blobs(score_map, labels, count, kept, statistics, centroids)
    return Finished(keep[labels], score_map, blobs)


def _blobs(
    score_map: np.ndarray,
    labels: np.ndarray,
    count: int,
    kept: np.ndarray,
    statistics: np.ndarray,
    centroids: np.ndarray,
) -> list[Blob]:
    """Measure the kept blobs, looking at marked pixels only."""
    if kept.size == 0:
        return []
    inside = labels > 0
    owner, scores = labels[inside], score_map[inside]
    sums = np.bincount(owner, weights=scores, minlength=count)
    peaks = np.full(count, -np.inf, dtype=np.float32)
    np.maximum.at(peaks, owner, scores)
    left, top, width, height, area = (
        statistics[:, column]
        for column in (
            cv2.CC_STAT_LEFT,
            cv2.CC_STAT_TOP,
            cv2.CC_STAT_WIDTH,
            cv2.CC_STAT_HEIGHT,
            cv2.CC_STAT_AREA,
        )
    )
    ordered = kept[np.argsort(-peaks[kept], kind="stable")]
    return [
        Blob(
            id=int(label),
            area_px=int(area[label]),
            box=(int(left[label]), int(top[label]), int(width[label]), int(height[label])),
            centroid=(float(centroids[label][0]), float(centroids[label][1])),
            peak=float(peaks[label]),
            mean=float(sums[label] / area[label]),
        )
        for label in ordered
    ]
