"""Patch scores on their grid to a smooth map at the size of the image, as two matrix products.

Bilinear upsampling (align_corners False) and a Gaussian that mirrors at the edge of the border
pixel, cut at four standard deviations (SciPy's `gaussian_filter`, which the reference uses), are
both linear and work on rows and columns separately: together they are one matrix per axis.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_TRUNCATE = 4.0  # SciPy's default


def smooth_map(patch_scores: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Upsample and blur patch scores.

    Args:
        patch_scores: Shape (B, h, w).
        size: (H, W) of the map, in pixels.
        sigma: Standard deviation of the Gaussian, in pixels of the map; 0 does not blur.

    Returns:
        Shape (B, 1, H, W).
    """
    down, right = (
        torch.from_numpy(_axis_matrix(int(patches), int(pixels), sigma)).to(patch_scores)
        for patches, pixels in zip(patch_scores.shape[1:], size, strict=True)
    )
    return (down @ patch_scores @ right.T).unsqueeze(1)


@lru_cache(maxsize=64)
def _axis_matrix(patches: int, pixels: int, sigma: float) -> np.ndarray:
    """Return the matrix from a row of patches to blurred pixels, float32 (pixels, patches)."""
    matrix = _bilinear(patches, pixels)
    if sigma > 0:
        matrix = _gaussian(pixels, sigma) @ matrix
    return matrix.astype(np.float32)


def _bilinear(patches: int, pixels: int) -> np.ndarray:
    """Return bilinear upsampling of one axis, (pixels, patches)."""
    places = np.maximum((np.arange(pixels) + 0.5) * patches / pixels - 0.5, 0)
    low = np.minimum(places.astype(int), patches - 1)
    share = places - low  # of the patch after it
    matrix = np.zeros((pixels, patches))
    np.add.at(matrix, (np.arange(pixels), low), 1 - share)
    np.add.at(matrix, (np.arange(pixels), np.minimum(low + 1, patches - 1)), share)
    return matrix


def _gaussian(pixels: int, sigma: float) -> np.ndarray:
    """Return the blur of one axis with mirrored borders, (pixels, pixels)."""
    radius = int(_TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    # d c b a | a b c d | d c b a
    sources = (np.arange(pixels)[:, None] + offsets) % (2 * pixels)
    sources = np.where(sources < pixels, sources, 2 * pixels - 1 - sources)
    matrix = np.zeros((pixels, pixels))
    np.add.at(matrix, (np.arange(pixels)[:, None], sources), weights / weights.sum())
    return matrix
