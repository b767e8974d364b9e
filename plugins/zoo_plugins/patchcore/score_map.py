"""Patch scores on their grid to a smooth map at the size of the image, as two matrix products.

Bilinear upsampling and a Gaussian that mirrors at the border, cut at four standard deviations as
SciPy's, are linear and work on rows and columns separately: together one matrix per axis.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_TRUNCATE = 4.0  # SciPy's default
BLOCK = 2048  # pixels of an axis per matrix, which grows with their square otherwise

# First and last (exclusive) patch that a block of pixels takes its scores from, and how.
_Block = tuple[int, int, np.ndarray]


def smooth_map(patch_scores: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Upsample and blur patch scores.

    Args:
        patch_scores: Shape (B, h, w).
        size: (H, W) of the map, in pixels.
        sigma: Standard deviation of the Gaussian, in pixels of the map; 0 does not blur.

    Returns:
        Shape (B, 1, H, W).
    """
    height, width = (int(patches) for patches in patch_scores.shape[1:])
    down = [
        torch.from_numpy(matrix).to(patch_scores) @ patch_scores[:, first:last]
        for first, last, matrix in axis_blocks(height, int(size[0]), sigma)
    ]
    rows = torch.cat(down, 1)  # (B, H, w)
    right = [
        rows[..., first:last] @ torch.from_numpy(matrix).to(patch_scores).T
        for first, last, matrix in axis_blocks(width, int(size[1]), sigma)
    ]
    return torch.cat(right, 2).unsqueeze(1)


@lru_cache(maxsize=8)  # of large images one takes megabytes
def axis_blocks(patches: int, pixels: int, sigma: float) -> list[_Block]:
    """Return the way from a row of patches to blurred pixels, in blocks of pixels."""
    starts = range(0, pixels, BLOCK)
    return [_block(patches, pixels, sigma, first, min(first + BLOCK, pixels)) for first in starts]


def _block(patches: int, pixels: int, sigma: float, start: int, stop: int) -> _Block:
    """Return the pixels from start to stop; the matrix is float32 (stop - start, last - first)."""
    radius = int(_TRUNCATE * sigma + 0.5)
    before, after = max(start - radius, 0), min(stop + radius, pixels)
    places = np.maximum((np.arange(before, after) + 0.5) * patches / pixels - 0.5, 0)
    first = min(int(places[0]), patches - 1)
    last = min(int(places[-1]) + 2, patches)
    matrix = _bilinear(places - first, last - first)
    if sigma > 0:
        matrix = _gaussian(pixels, radius, sigma, start, stop, before, after) @ matrix
    return first, last, matrix.astype(np.float32)


def _bilinear(places: np.ndarray, patches: int) -> np.ndarray:
    """Return bilinear upsampling of one axis to pixels at places in patches, (pixels, patches)."""
    low = np.minimum(places.astype(int), patches - 1)
    share = places - low  # of the patch after it
    matrix = np.zeros((len(places), patches))
    pixels = np.arange(len(places))
    np.add.at(matrix, (pixels, low), 1 - share)
    np.add.at(matrix, (pixels, np.minimum(low + 1, patches - 1)), share)
    return matrix


def _gaussian(
    pixels: int, radius: int, sigma: float, start: int, stop: int, before: int, after: int
) -> np.ndarray:
    """Return the blur of one axis with mirrored borders, (stop - start, after - before)."""
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    # d c b a | a b c d | d c b a
    sources = (np.arange(start, stop)[:, None] + offsets) % (2 * pixels)
    sources = np.where(sources < pixels, sources, 2 * pixels - 1 - sources)
    matrix = np.zeros((stop - start, after - before))
    np.add.at(matrix, (np.arange(stop - start)[:, None], sources - before), weights / weights.sum())
    return matrix
