"""Tiles around an exported graph, which takes single tiles: numpy, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.data.resize import resize_picture
from zoo.data.tiling.grid import MAX_TILED_PIXELS, Layout, scaled_size
from zoo.data.tiling.stitch import cut, stitch

# Tiles, float32 (B, 3, t, t) in [0, 1], to their maps (B, 1, h, w) or (B, h, w) and scores (B,).
Graph = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def to_scale(pixels: np.ndarray, tiling: Mapping[str, Any]) -> np.ndarray:
    """Return a picture, uint8 (H, W, 3), at the scale at which tiles are cut.

    Args:
        pixels: The picture.
        tiling: `TilingPreProcessor.tiling` of the model that was exported.

    Raises:
        ZooError: It would have too many pixels there.
    """
    resize = dict(tiling["resize"])
    interpolation = "bicubic" if resize.pop("bicubic") else "bilinear"
    size = scaled_size(pixels.shape[:2], **resize, max_pixels=MAX_TILED_PIXELS)
    return resize_picture(pixels, size, interpolation)


def score_in_tiles(
    scaled: np.ndarray, tiling: Mapping[str, Any], graph: Graph, tiles_per_step: int = 16
) -> tuple[np.ndarray, float]:
    """Return the raw score map and the score of one picture, as runs score it.

    Args:
        scaled: uint8 (h, w, 3) RGB, see `to_scale`.
        tiling: `TilingPreProcessor.tiling` of the model that was exported.
        graph: Runs the exported graph.
        tiles_per_step: Most tiles that the graph gets at once.

    Returns:
        float32 map of the whole picture for `zoo.postprocess.finish`, and the largest score of a
        tile.

    Raises:
        ZooError: The picture is smaller than a tile.
    """
    grid = Layout(**tiling["layout"]).grid(scaled.shape[:2])
    tiles = cut(scaled.transpose(2, 0, 1), grid).astype(np.float32) / 255  # (n, 3, t, t)
    starts = range(0, len(tiles), tiles_per_step)
    maps, scores = zip(*(graph(tiles[s : s + tiles_per_step]) for s in starts), strict=True)
    joined = np.concatenate(maps)
    joined = joined.reshape(len(tiles), *joined.shape[-2:])
    return stitch(joined, grid, tiling["seams"]), float(np.concatenate(scores).max())
