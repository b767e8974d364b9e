"""Cutting images into tiles and putting the score maps of tiles together again.

Where neighbours overlap and agree the result is that value to the last bit, whatever the seams:
tiles are joined by interpolation between what is there and what comes, never by a weighted sum that
is divided again. So a method that returns its input gives the image back exactly.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args

import cv2
import numpy as np

from zoo.data.tiling.grid import Grid
from zoo.utils.errors import ZooError, nearest

Seams = Literal["blend", "hard", "mean"]
SEAMS = get_args(Seams)

Image = TypeVar("Image")  # a numpy array or a tensor: both are sliced alike


def cut(image: Image, grid: Grid) -> Image:
    """Return the tiles of an image, zero beyond its edge.

    Args:
        image: (..., H, W), an array or a tensor of any type.
        grid: The tiles of an image of this size.

    Returns:
        (n, ..., h, w) of the same kind, in the order of the grid.
    """
    height, width = grid.tile
    shape = (len(grid), *image.shape[:-2], height, width)
    tiles: Any = image.new_zeros(shape) if hasattr(image, "new_zeros") else _zeros(image, shape)
    for tile, (top, left) in zip(tiles, grid, strict=True):
        part = image[..., top : top + height, left : left + width]
        tile[..., : part.shape[-2], : part.shape[-1]] = part
    return tiles


def stitch(maps: np.ndarray, grid: Grid, seams: Seams = "blend") -> np.ndarray:
    """Return one map of the whole image from the maps of its tiles.

    The maps may have another scale than the tiles. If the grid falls on whole pixels at that scale
    the result has it too, and no value changes; if not, maps are first resized to their tiles.

    Args:
        maps: (n, h, w) float, in the order of the grid.
        grid: The tiles of the image.
        seams: In an overlap "hard" gives each pixel to the tile in whose half it lies, "blend" goes
            over linearly, "mean" averages all tiles.

    Returns:
        float32 (H, W) at the scale of the maps, or at that of the tiles.

    Raises:
        ZooError: As many maps as do not fit the grid, or unknown seams.
    """
    check_seams(seams)
    if maps.ndim != 3 or len(maps) != len(grid):
        raise ZooError(f"maps of shape {maps.shape} for {len(grid)} tiles: give one map per tile")
    maps = np.asarray(maps, dtype=np.float32)
    scaled = grid.at(maps.shape[-2:])
    if scaled is None:
        size = grid.tile[::-1]
        maps = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in maps])
        scaled = grid
    maps = maps.reshape(len(grid.rows), len(grid.columns), *scaled.tile)
    rows = [_joined(row.transpose(0, 2, 1), scaled.columns, seams).T for row in maps]
    whole = _joined(np.stack(rows), scaled.rows, seams)
    height, width = scaled.size
    return np.ascontiguousarray(whole[:height, :width])


def check_seams(seams: str) -> None:
    """Raise when there are no such seams."""
    if seams not in SEAMS:
        raise ZooError(f"unknown seams '{seams}'{nearest(seams, SEAMS)}")


def weights(starts: tuple[int, ...], side: int, seams: Seams) -> list[np.ndarray]:
    """Return for each tile of an axis its weight over all tiles before it, float32 (side,)."""
    found = []
    for index, start in enumerate(starts):
        weight = np.ones(side, np.float32)
        overlap = starts[index - 1] + side - start if index else 0
        if seams == "hard":
            weight[: (overlap + 1) // 2] = 0
        elif seams == "blend":
            weight[:overlap] = (np.arange(overlap) + 0.5) / max(overlap, 1)
        else:
            pixels = start + np.arange(side)
            weight /= sum(pixels < before + side for before in starts[:index]) + 1
        found.append(weight)
    return found


def _joined(parts: np.ndarray, starts: tuple[int, ...], seams: Seams) -> np.ndarray:
    """Join parts (k, side, other) along their first axis."""
    side = parts.shape[1]
    whole = np.zeros((starts[-1] + side, parts.shape[2]), np.float32)
    for part, start, weight in zip(parts, starts, weights(starts, side, seams), strict=True):
        there, weight = whole[start : start + side], weight[:, None]
        step = part - there
        # Both forms are exact where the two agree; each is exact at its end of the weights.
        there[:] = np.where(weight < 0.5, there + weight * step, part - (1 - weight) * step)
    return whole


def _zeros(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape, image.dtype)
