"""Perlin noise: a smooth random field from slopes at the points of a grid.

K. Perlin, Improving noise, SIGGRAPH 2002; own code.
"""

from __future__ import annotations

import numpy as np


def perlin(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Return Perlin noise, (side, side) float32, mean about 0, between -0.71 and 0.71.

    Args:
        rng: Source of the slopes; the draws depend on `cells` only.
        side: Points per side.
        cells: Cells of the grid per side: the more, the finer the noise.
    """
    angles = rng.uniform(0, 2 * np.pi, (cells + 1, cells + 1)).astype(np.float32)
    along_y, along_x = np.sin(angles), np.cos(angles)
    at = np.linspace(0, cells, side, endpoint=False, dtype=np.float32)
    cell = at.astype(int)
    within = at - np.floor(at)
    y, x = within[:, None], within[None, :]

    def reach(down: int, right: int) -> np.ndarray:
        """Return what the slope at one corner of its cell adds to every point."""
        corner = np.ix_(cell + down, cell + right)
        return along_y[corner] * (y - down) + along_x[corner] * (x - right)

    top = _between(reach(0, 0), reach(0, 1), x)
    return _between(top, _between(reach(1, 0), reach(1, 1), x), y)


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    smooth = share**3 * (share * (share * 6 - 15) + 10)
    return first + smooth * (second - first)
