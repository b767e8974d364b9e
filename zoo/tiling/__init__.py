"""Tiles: any method that maps an image to a score map sees high resolution piece by piece."""

from zoo.tiling.grid import Grid, Layout
from zoo.tiling.stitch import SEAMS, cut, stitch

__all__ = ["SEAMS", "Grid", "Layout", "cut", "stitch"]
