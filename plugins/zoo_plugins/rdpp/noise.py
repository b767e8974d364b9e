"""Pseudo-anomalies of RD++: images with one block of OpenSimplex noise (K. Spencer, 2014) each.

Every point of a stretched lattice that is nearer than the square root of 2 adds (2 - distance^2)^4
times the slope of its own gradient, all at once: the reference leaves out a few that are almost too
far away, less than 2e-4 of noise. The block grows with the image: 10 to side / 8 - 1 pixels.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

_STRENGTH = 0.2
_LEAST_PX = 10


class NoiseBlocks:
    """Adds a block of noise to each image, at a place and of a size that are drawn.

    The reference seeds its noise once and always evaluates it from the origin: every block is the
    corner of one and the same pattern, only its place and size differ.

    Args:
        seed: Of the pattern.
        std: (R, G, B) that images were divided by; noise is added to images in [0, 1].
    """

    def __init__(self, seed: int, std: Tensor) -> None:
        self.seed, self.std = seed, std.cpu().reshape(3, 1, 1)
        self._pattern = np.zeros((3, 0, 0))

    def __call__(self, images: Tensor) -> Tensor:
        """Return a copy of normalised images (B, 3, H, W) with a block in each; nothing is clipped.

        Draws from torch's global generator, four numbers per image.
        """
        noisy = images.clone()
        for image in noisy:
            height, width = (_drawn(_LEAST_PX, _most_px(side)) for side in image.shape[-2:])
            top = _drawn(1, image.shape[-2] - height - 1)
            left = _drawn(1, image.shape[-1] - width - 1)
            block = self._block(height, width, max(map(_most_px, image.shape[-2:])))
            image[:, top : top + height, left : left + width] += block.to(image)
        return noisy

    def _block(self, height: int, width: int, most_px: int) -> Tensor:
        """Return noise (3, height, width) on the scale of normalised images."""
        if self._pattern.shape[-1] < most_px:
            self._pattern = octave_noise(self.seed, (3, most_px, most_px))
        noise = self._pattern[:, :height, :width]
        return _STRENGTH * torch.from_numpy(noise).float() / self.std


def _most_px(side: int) -> int:
    return max(_LEAST_PX, side // 8 - 1)


def _drawn(low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, ()))


_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407
_STRETCH, _SQUISH, _NORM = -1 / 6, 1 / 3, 103
_FREQUENCY_PX = 32  # period of the first octave; each has twice the frequency of the one before
_OCTAVES, _PERSISTENCE = 6, 0.6  # and this share of its amplitude
_STEPS = np.array(list(itertools.product(range(-1, 3), repeat=3)))  # (64, 3) lattice neighbours
# 24 directions: every choice of signs, and of the axis that is long.
_GRADIENTS = np.array(
    [
        np.where(np.arange(3) == axis, 11, 4) * (x, y, z)
        for z, y, x in itertools.product((1, -1), (1, -1), (-1, 1))
        for axis in range(3)
    ]
)


def octave_noise(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Return fractal noise on integer coordinates that begin at 0.

    A smaller array of the same seed is the corner of a larger one.

    Args:
        seed: Any whole number of 64 bits.
        shape: (depth, H, W); RD++ takes the depth for colour channels.

    Returns:
        float64 array of that shape, about -1.2 to 1.2, standard deviation 0.39.
    """
    permutation = _permutation(seed)
    z, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    points = np.stack([x, y, z], axis=-1).astype(float)  # (depth, H, W, 3)
    total = np.zeros(shape)
    for octave in range(_OCTAVES):
        total += _PERSISTENCE**octave * _noise(points * (2**octave / _FREQUENCY_PX), permutation)
    return total


def _noise(points: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Return one octave at points (..., 3)."""
    stretched = points + points.sum(-1, keepdims=True) * _STRETCH
    cell = np.floor(stretched).astype(np.int64)
    total = np.zeros(points.shape[:-1])
    for step in _STEPS:
        corner = cell + step
        offset = points - corner - corner.sum(-1, keepdims=True) * _SQUISH
        near = np.maximum(0, 2 - (offset**2).sum(-1)) ** 4
        hashed = 0
        for axis in range(3):
            hashed = permutation[(hashed + corner[..., axis]) & 255]
        total += near * (_GRADIENTS[hashed % len(_GRADIENTS)] * offset).sum(-1)
    return total / _NORM


def _permutation(seed: int) -> np.ndarray:
    """Shuffle 0 to 255 with a linear congruential generator of 64 bits."""
    numbers, shuffled = np.arange(256), np.zeros(256, np.int64)
    state = _signed(seed)
    for _ in range(3):
        state = _signed(state * _MULTIPLIER + _INCREMENT)
    for last in range(255, -1, -1):
        state = _signed(state * _MULTIPLIER + _INCREMENT)
        chosen = (state + 31) % (last + 1)
        shuffled[last], numbers[chosen] = numbers[chosen], numbers[last]
    return shuffled


def _signed(number: int) -> int:
    """Wrap a whole number to 64 bits with a sign."""
    return (number + 2**63) % 2**64 - 2**63
