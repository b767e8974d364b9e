"""Training images as tiles: each tile is an item, so that batches are drawn from all images."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate

import torch
from torch.utils.data import Dataset

from zoo.data.batch import NativeItem
from zoo.data.dataset import LayoutDataset, size_at
from zoo.data.images import image_size
from zoo.data.tiling.grid import Grid, Layout
from zoo.data.tiling.stitch import cut


class TileDataset(Dataset):
    """The tiles of a split, image by image and row by row.

    An item is that of its image with image and mask cut to the tile, (3, t, t), before any
    augmentation.

    Args:
        images: The images, which are scaled while they are read.
        layout: Where tiles lie at that scale.
    """

    def __init__(self, images: LayoutDataset, layout: Layout) -> None:
        self.images = images
        self.layout = layout

    def __len__(self) -> int:
        """Return the number of tiles of all images."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> NativeItem:
        """Read one tile."""
        image = bisect_right(self._ends, index)
        tile = index - (self._ends[image - 1] if image else 0)

        def crop(pixels: torch.Tensor) -> torch.Tensor:
            grid = self.layout.grid(tuple(pixels.shape[-2:]))
            one = Grid(grid.size, grid.tile, *([start] for start in list(grid)[tile]))
            return cut(pixels, one)[0]

        return self.images.item(image, crop)

    @property
    def collate_fn(self) -> Callable:
        """The batch that keeps native sizes."""
        return self.images.collate_fn

    @cached_property
    def _ends(self) -> list[int]:
        """Number of tiles up to and with each image; only headers of files are read."""
        sizes = (image_size(sample.image_path) for sample in self.images.listed)
        return list(accumulate(len(self._grid(size)) for size in sizes))

    def _grid(self, native_size: tuple[int, int]) -> Grid:
        return self.layout.grid(size_at(native_size, self.images.resize))
