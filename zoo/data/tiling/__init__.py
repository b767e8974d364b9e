"""Tiles: any method that maps an image to a score map sees high resolution piece by piece."""

from typing import TYPE_CHECKING

from zoo.data.tiling.grid import Grid, Layout
from zoo.data.tiling.stitch import SEAMS, cut, stitch
from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.data.tiling.pre_processor import ScaledPreProcessor, TilingPreProcessor
    from zoo.data.tiling.recipe import Tiling, tiled
    from zoo.data.tiling.stitch import score_in_tiles, to_scale
    from zoo.data.transforms import Scaled

__all__ = [
    "SEAMS",
    "Grid",
    "Layout",
    "Scaled",
    "ScaledPreProcessor",
    "Tiling",
    "TilingPreProcessor",
    "cut",
    "score_in_tiles",
    "stitch",
    "tiled",
    "to_scale",
]

# Resolved on first use: whoever stitches the maps of an exported model has no need of torch.
__getattr__ = lazy_names(
    __name__,
    {
        "score_in_tiles": "zoo.data.tiling.stitch",
        "to_scale": "zoo.data.tiling.stitch",
        "Scaled": "zoo.data.transforms",
        "ScaledPreProcessor": "zoo.data.tiling.pre_processor",
        "Tiling": "zoo.data.tiling.recipe",
        "TilingPreProcessor": "zoo.data.tiling.pre_processor",
        "tiled": "zoo.data.tiling.recipe",
    },
)
