"""Tiles: any method that maps an image to a score map sees high resolution piece by piece."""

from importlib import import_module

from zoo.tiling.grid import Grid, Layout
from zoo.tiling.stitch import SEAMS, cut, stitch

# Resolved on first use: whoever stitches the maps of an exported model has no need of torch.
_LAZY = {
    "score_in_tiles": "zoo.tiling.exported",
    "to_scale": "zoo.tiling.exported",
    "Scaled": "zoo.tiling.scaled",
    "ScaledPreProcessor": "zoo.tiling.pre_processor",
    "Tiling": "zoo.tiling.recipe",
    "TilingPreProcessor": "zoo.tiling.pre_processor",
    "tiled": "zoo.tiling.recipe",
}

__all__ = ["SEAMS", "Grid", "Layout", "cut", "stitch", *_LAZY]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
