"""Random fields and small image operations that objects and defects are made of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; ``low > high`` makes it fall."""
    ramp = value - low
    ramp *= 1 / (high - low)
    np.clip(ramp, 0, 1, out=ramp)
    steep = 3 - 2 * ramp
    steep *= ramp
    steep *= ramp
    return steep


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian of ``sigma`` grid points; (H, W) or (H, W, C), C over 1."""
    if sigma < 0.15:
        return image
    shrink = int(sigma // 3)
    if shrink < 2:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    # a wide blur has no fine detail: computing it on a coarser grid costs a fraction
    rows, columns = image.shape[:2]
    size = (max(columns // shrink, 1), max(rows // shrink, 1))
    coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / shrink)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float | tuple[float, float]
) -> np.ndarray:
    """Return a smooth random field of about unit spread.

    Args:
        rng: Source of randomness.
        shape: Rows and columns.
        cell: Size of its bumps in grid points, or (down, across) for a stretched field.
    """
    down, across = cell if isinstance(cell, tuple) else (cell, cell)
    if min(down, across) > 16:
        # wide bumps need few points: the cubic curve through a quarter of them looks the same
        quarter = smooth_noise(rng, (shape[0] // 4 + 1, shape[1] // 4 + 1), (down / 4, across / 4))
        return cv2.resize(quarter, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    rows, columns = int(np.ceil(shape[0] / down)) + 1, int(np.ceil(shape[1] / across)) + 1
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    size = (int(np.ceil(columns * across)), int(np.ceil(rows * down)))
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    # half a bump is cut from every side, where the stretched field is flat
    top, left = int(down / 2), int(across / 2)
    return np.ascontiguousarray(fine[top : top + shape[0], left : left + shape[1]])


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 4
) -> np.ndarray:
    """Return noise with detail at several scales: each octave half the size, 0.55 the height."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1.2:
            break
        total += 0.55**octave * smooth_noise(rng, shape, size)
    return total


def mix(below: np.ndarray, above: np.ndarray | float, alpha: np.ndarray) -> np.ndarray:
    """Lay ``above`` over ``below`` with opacity ``alpha`` (H, W), for (H, W) or (C, H, W)."""
    mixed = above - below
    mixed *= alpha
    mixed += below
    return mixed


def planes(colour: Sequence[float]) -> np.ndarray:
    """Return a colour as (C, 1, 1) float32, to be spread over (H, W)."""
    return np.asarray(colour, np.float32)[:, None, None]
