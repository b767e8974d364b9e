"""8-bit images at another size, bit for bit as torch resizes them, in numpy and OpenCV.

Torch resizes uint8 on CPUs with antialiasing in whole numbers: weights of at most 15 bits, columns
first, rounded to 8 bits, then rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from zoo.utils.errors import ZooError

_BLOCK = 8  # output rows per product: wide enough for BLAS, narrow enough to waste little
_MOST_BITS = 22
# float32 is exact up to 2**24: sums of so many products of two bytes are.
_MOST_TAPS = 256


def resize_image(
    pixels: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear"
) -> np.ndarray:
    """Resize an image with antialiasing.

    Args:
        pixels: uint8 (H, W, 3).
        size: (h, w) in pixels.
        interpolation: bilinear or bicubic.

    Returns:
        uint8 (h, w, 3), equal to `torchvision.transforms.v2.Resize(size, antialias=True)`.

    Raises:
        ZooError: Another interpolation.
    """
    if interpolation not in _KERNELS:
        raise ZooError(
            f"images are resized {' or '.join(_KERNELS)} without torch, not {interpolation}"
        )
    height, width = size
    if pixels.shape[1] != width:
        columns = np.ascontiguousarray(cv2.transpose(pixels))  # (W, H, 3)
        pixels = cv2.transpose(_resize_rows(columns, width, interpolation))
    if pixels.shape[0] != height:
        pixels = _resize_rows(np.ascontiguousarray(pixels), height, interpolation)
    return pixels


def _resize_rows(pixels: np.ndarray, n_out: int, interpolation: str) -> np.ndarray:
    """Return n_out rows of uint8 (n_in, m, 3)."""
    flat = pixels.reshape(len(pixels), -1)
    resized = np.empty((n_out, flat.shape[1]), np.uint8)
    blocks, bits = _blocks(len(pixels), n_out, interpolation)
    for start, first, last, weights in blocks:
        sums = (weights @ flat[first:last].astype(weights.dtype)).astype(np.int32)
        high, low = np.split(sums, 2)
        rounded = ((high << 8) + low + (1 << (bits - 1))) >> bits
        resized[start : start + len(rounded)] = rounded.clip(0, 255)
    return resized.reshape(n_out, *pixels.shape[1:])


@lru_cache(maxsize=32)
def _blocks(
    n_in: int, n_out: int, interpolation: str
) -> tuple[Sequence[tuple[int, int, int, np.ndarray]], int]:
    """Return first output row, rows that are read, and weights of every block; and their bits."""
    firsts, lasts, weights, bits = _weights(n_in, n_out, interpolation)
    exact = np.float32 if weights.shape[1] <= _MOST_TAPS else np.float64
    made = []
    for start in range(0, n_out, _BLOCK):
        rows = range(start, min(start + _BLOCK, n_out))
        first, last = firsts[start], max(lasts[row] for row in rows)
        block = np.zeros((len(rows), last - first), np.int64)
        for place, row in enumerate(rows):
            taps = lasts[row] - firsts[row]
            block[place, firsts[row] - first :][:taps] = weights[row, :taps]
        made.append((start, first, last, np.concatenate([block >> 8, block & 255]).astype(exact)))
    return made, bits


def _weights(
    n_in: int, n_out: int, interpolation: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return first and last (exclusive) input row per output row, weights (n_out, taps), bits."""
    reach, kernel = _KERNELS[interpolation]
    scale = n_in / n_out
    widened = max(scale, 1.0)
    centres = scale * (np.arange(n_out) + 0.5)
    firsts = np.maximum((centres - reach * widened + 0.5).astype(int), 0)
    lasts = np.minimum((centres + reach * widened + 0.5).astype(int), n_in)
    taps = np.arange((lasts - firsts).max())
    away = (taps + firsts[:, None] - centres[:, None] + 0.5) * (1.0 / widened)
    shares = np.where(taps < (lasts - firsts)[:, None], kernel(away), 0.0)
    shares /= shares.sum(1, keepdims=True)
    bits = 0
    while bits < _MOST_BITS and int(shares.max() * 2 ** (bits + 1) + 0.5) < 1 << 15:
        bits += 1
    whole = (shares * 2**bits + np.copysign(0.5, shares)).astype(np.int64)  # half away from 0
    return firsts, lasts, whole, bits


def _linear(away: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(away), 0)


def _cubic(away: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Return Keys' cubic convolution (IEEE ASSP 29, 1981), whose a of -1/2 antialiasing takes."""
    x = np.abs(away)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_KERNELS = {"bilinear": (1, _linear), "bicubic": (2, _cubic)}
