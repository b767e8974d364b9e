"""Generated textures: images of nothing in particular, for which no network is needed.

Leaves of random shapes and sizes that cover one another, each with a random colour, gradient and
noise ("dead leaves", as in Baradad et al., Learning to See by Looking at Noise, NeurIPS 2021).
Their edges, scales and colours vary as those of photographs do. They are no photographs: what is
trained with them is worth less than what is trained with ImageNet, and is called by their name.
"""

from __future__ import annotations

import cv2
import numpy as np

_LEAVES = (8, 120)  # fewest and most
_GREY_SHARE = 0.2


def texture(seed: int, index: int, side: int) -> np.ndarray:
    """Return one image, (side, side, 3) uint8 RGB, that depends on its arguments alone.

    Args:
        seed: Of the whole set.
        index: Number of the image in the set.
        side: Of the square in pixels.
    """
    rng = np.random.default_rng([seed, index])
    image = _surface(rng, side)
    count = int(np.exp(rng.uniform(*np.log(_LEAVES))))
    for _ in range(count):
        leaf = np.zeros((side, side), np.uint8)
        _draw(rng, leaf, side)
        image = np.where(leaf[..., None] > 0, _surface(rng, side), image)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < _GREY_SHARE:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.uint8(np.clip(255 * image, 0, 255))


def _draw(rng: np.random.Generator, leaf: np.ndarray, side: int) -> None:
    """Draw an ellipse, a polygon or a stroke into a mask; small ones are more frequent."""
    radius = side * 0.02 * (25 ** rng.random())
    centre = rng.uniform(0, side, 2)
    kind = rng.integers(3)
    if kind == 0:
        axes = (max(1, int(radius)), max(1, int(radius * rng.uniform(0.3, 1))))
        cv2.ellipse(leaf, tuple(map(int, centre)), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    elif kind == 1:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        reach = radius * rng.uniform(0.4, 1, len(angles))
        points = centre + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
        cv2.fillPoly(leaf, [points.astype(np.int32)], 1)
    else:
        end = centre + rng.normal(0, 3 * radius, 2)
        thickness = max(1, int(radius * rng.uniform(0.05, 0.4)))
        cv2.line(leaf, tuple(map(int, centre)), tuple(map(int, end)), 1, thickness)


def _surface(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a colour with a gradient and noise of one scale, (side, side, 3) float32."""
    colour = rng.random(3)
    at = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    slope = rng.normal(0, 0.2, 2)
    gradient = slope[0] * at[:, None] + slope[1] * at[None, :]
    cells = int(2 * (side / 4) ** rng.random())
    coarse = rng.normal(0, rng.uniform(0, 0.25), (cells, max(1, int(cells * rng.uniform(0.3, 1)))))
    noise = cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    tint = rng.uniform(0.5, 1, 3)
    return np.float32(colour + (gradient + noise)[..., None] * tint)
