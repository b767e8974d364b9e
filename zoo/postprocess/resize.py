"""The one place where a score map comes from model size to the native size of its image."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.utils.errors import ZooError


def to_native(score_map: np.ndarray, native_size: tuple[int, int]) -> np.ndarray:
    """Resize a score map bilinearly to the native size of its image.

    Args:
        score_map: Raw scores, shape (h, w), any float type.
        native_size: (H, W) in pixels.

    Returns:
        float32 array of shape (H, W). Pixel centres are aligned as in torch's bilinear
        interpolation with align_corners=False.

    Raises:
        ZooError: Not a two-dimensional map, an empty one, scores that are not finite, or a size
            without pixels.
    """
    score_map = np.asarray(score_map)
    if score_map.ndim != 2:
        raise ZooError(f"a score map has the shape (h, w), this one has {score_map.shape}")
    height, width = native_size
    if not score_map.size or height < 1 or width < 1:
        raise ZooError(
            f"a score map of shape {score_map.shape} for an image of {width}x{height} pixels: "
            "both need one pixel at least"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        score_map = np.ascontiguousarray(score_map, dtype=np.float32)
    if not np.isfinite(score_map).all():
        wrong = int((~np.isfinite(score_map)).sum())
        raise ZooError(
            f"{wrong} of {score_map.size} scores of the map are NaN or infinite: "
            "the method diverged; its maps cannot be judged"
        )
    if score_map.shape == (height, width):
        return score_map
    return cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)
