"""Cuts images into tiles, and puts the score maps of tiles together again.

Where neighbours overlap and agree the result is that value to the last bit: tiles are joined by
interpolation, never by a weighted sum that is divided again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args

import cv2
import numpy as np

from zoo.data.resize import resize_image
from zoo.data.tiling.grid import MAX_TILED_PIXELS, Grid, Layout, scaled_size
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
    source: Any = image
    height, width = grid.tile
    shape = (len(grid), *source.shape[:-2], height, width)
    is_tensor = hasattr(source, "new_zeros")
    tiles: Any = source.new_zeros(shape) if is_tensor else np.zeros(shape, source.dtype)
    for tile, (top, left) in zip(tiles, grid, strict=True):
        part = source[..., top : top + height, left : left + width]
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
    _, height, width = maps.shape
    scaled = grid.at((height, width))
    if scaled is None:
        size = grid.tile[::-1]
        maps = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in maps])
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
    listed = []
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
        listed.append(weight)
    return listed


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


# Tiles, float32 (B, 3, t, t) in [0, 1], to their maps (B, 1, h, w) or (B, h, w) and scores (B,).
Graph = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def to_scale(pixels: np.ndarray, tiling: Mapping[str, Any]) -> np.ndarray:
    """Return an image, uint8 (H, W, 3), at the scale at which tiles are cut.

    Args:
        pixels: The image.
        tiling: `TilingPreProcessor.tiling` of the model that was exported.

    Raises:
        ZooError: It would have too many pixels there.
    """
    resize = dict(tiling["resize"])
    interpolation = "bicubic" if resize.pop("bicubic") else "bilinear"
    height, width, _ = pixels.shape
    size = scaled_size((height, width), **resize, max_pixels=MAX_TILED_PIXELS)
    return resize_image(pixels, size, interpolation)


def score_in_tiles(
    scaled: np.ndarray, tiling: Mapping[str, Any], graph: Graph, tiles_per_step: int = 16
) -> tuple[np.ndarray, float]:
    """Return the raw score map and the score of one image, as runs score it.

    Args:
        scaled: uint8 (h, w, 3) RGB, see `to_scale`.
        tiling: `TilingPreProcessor.tiling` of the model that was exported.
        graph: Runs the exported graph.
        tiles_per_step: Most tiles that the graph gets at once.

    Returns:
        float32 map of the whole image for `zoo.postprocess.finish`, and the largest score of a
        tile.

    Raises:
        ZooError: The image is smaller than a tile.
    """
    height, width, _ = scaled.shape
    grid = Layout(**tiling["layout"]).grid((height, width))
    tiles = cut(scaled.transpose(2, 0, 1), grid).astype(np.float32) / 255  # (n, 3, t, t)
    starts = range(0, len(tiles), tiles_per_step)
    maps, scores = zip(*(graph(tiles[s : s + tiles_per_step]) for s in starts), strict=True)
    joined = np.concatenate(maps)
    joined = joined.reshape(len(tiles), *joined.shape[-2:])
    return stitch(joined, grid, tiling["seams"]), float(np.concatenate(scores).max())
