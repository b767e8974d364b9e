"""What is said about one picture: score map and score, then mask and blobs at its own size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.postprocess.drawing import overlay
from zoo.postprocess.finish import Blob, Finished


@dataclass(frozen=True)
class Scored:
    """What a method says about one image.

    Attributes:
        path: The image.
        native_size: (H, W) in pixels.
        score_map: Raw scores at model size, float32 (h, w).
        score: The method's own image score, or the map's maximum where it gives none.
    """

    path: Path
    native_size: tuple[int, int]
    score_map: np.ndarray
    score: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a detector says about one picture; arrays have the picture's own size.

    Attributes:
        path: The file, or None for a picture from memory.
        image: uint8 (H, W, 3) RGB.
        mask: bool (H, W), True where defective.
        score_map: float32 (H, W), raw scores; larger = more anomalous.
        score: The method's image score.
        is_anomalous: Whether any blob was kept, so that verdict and mask agree, unless the
            calibration leaves the verdict to the image score.
        blobs: The regions of the mask, largest peak first; boxes and areas in pixels.
    """

    path: Path | None
    image: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    score_map: np.ndarray = field(repr=False)
    score: float
    is_anomalous: bool
    blobs: list[Blob]

    @classmethod
    def of(
        cls, path: Path | None, image: np.ndarray, finished: Finished, score: float
    ) -> Prediction:
        """Return what a finished score map says about its picture."""
        return cls(
            path,
            image,
            finished.mask,
            finished.score_map,
            score,
            finished.is_anomalous,
            finished.blobs,
        )

    def overlay(self) -> np.ndarray:
        """Return the picture with the mask outlined and boxed, uint8 (H, W, 3) RGB."""
        return overlay(self.image, self.mask, self.blobs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays as plain data."""
        height, width = self.mask.shape
        return {
            "path": None if self.path is None else str(self.path),
            "is_anomalous": self.is_anomalous,
            "score": self.score,
            "width": width,
            "height": height,
            "flagged_fraction": float(self.mask.mean()),
            "blobs": [blob.to_dict() for blob in self.blobs],
        }
