"""A split of one object as an anomalib dataset, whole or in tiles; batches carry native sizes."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.data import Batch, ImageBatch, ImageItem
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import Resize, Transform
from torchvision.transforms.v2.functional import resize as resize_mask
from torchvision.tv_tensors import Image, Mask

from zoo.data.anomalib_internals import AnomalibDataset, set_samples
from zoo.data.cache import ImageCache
from zoo.data.images import image_size, read_image
from zoo.data.sample import Sample
from zoo.data.tiling.grid import Grid, Layout
from zoo.data.tiling.stitch import cut
from zoo.data.transforms import size_at, to_model_size
from zoo.utils.errors import ZooError


@dataclass
class NativeItem(ImageItem):
    """One image at model size together with its native size (H, W) in pixels."""

    native_size: tuple[int, int] | None = None


@dataclass
class NativeBatch(ImageBatch):
    """A batch of images (B, 3, h, w) at model size, with one native size (H, W) per image."""

    item_class = NativeItem
    native_size: list[tuple[int, int]] | None = None

    @classmethod
    def collate(cls, items: list[NativeItem]) -> NativeBatch:  # type: ignore[override]  # ours
        """Stack items; unlike anomalib's collate it never stretches images to a common size.

        Raises:
            ZooError: The images have several sizes, which one tensor cannot hold.
        """
        shapes = {tuple(item.image.shape[-2:]) for item in items if item.image is not None}
        if len(shapes) > 1:
            sizes = ", ".join(f"{width}x{height}" for height, width in sorted(shapes)[:3])
            raise ZooError(
                f"images of several sizes ({sizes}) in one batch: set the data's batch sizes to 1, "
                "or give the model's pre-processor a Resize to a fixed height and width"
            )

        def stacked(field: str) -> Tensor | None:
            values = [getattr(item, field) for item in items]
            return None if any(value is None for value in values) else torch.stack(values)

        return cls(
            image=stacked("image"),
            gt_label=stacked("gt_label"),
            gt_mask=stacked("gt_mask"),
            image_path=[item.image_path or "" for item in items],
            mask_path=[item.mask_path or "" for item in items],
            native_size=[item.native_size for item in items if item.native_size is not None],
        )


def native_sizes(batch: Batch) -> list[tuple[int, int]]:
    """Return (H, W) of each image; of images in memory, which have no file, it is the batch's."""
    if sizes := getattr(batch, "native_size", None):
        return list(sizes)
    if paths := getattr(batch, "image_path", None):  # anomalib's own items have no sizes
        return [image_size(Path(path)) for path in paths]
    assert batch.image is not None
    height, width = batch.image.shape[-2:]
    return [(height, width)] * len(batch.image)


class LayoutDataset(AnomalibDataset):
    """The images of one split, in sorted order.

    An item holds the image at model size as float32 in [0, 1], shape (3, h, w), its native size
    and, where the truth is known, label and mask at model size. Metrics at native size read the
    mask again from `mask_path`; the one in the item serves anomalib's own metrics.

    Args:
        listed: The samples, in the order in which they are read.
        object_name: Name of the object.
        split: Name of the split.
        cache: Where decoded and resized images are kept.
        augmentations: Applied at model size, after the resize.
    """

    def __init__(
        self,
        listed: Sequence[Sample],
        object_name: str,
        split: str,
        cache: ImageCache,
        augmentations: Transform | None = None,
    ) -> None:
        super().__init__(augmentations=augmentations)
        self.listed = list(listed)
        self.split = split
        self.cache = cache
        self.resize: Resize | None = None
        self.bit_depth: int | None = None
        self.with_truth = True
        self.category = object_name
        set_samples(self, self.listed, split)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.listed)

    def subsample(self, indices: Sequence[int], inplace: bool = False) -> LayoutDataset:
        """Return the dataset of the images at `indices`, in their order."""
        chosen = self if inplace else copy.copy(self)
        chosen.listed = [self.listed[index] for index in indices]
        set_samples(chosen, chosen.listed, self.split)
        return chosen

    def __getitem__(self, index: int) -> NativeItem:
        """Read one image (from the cache if it is there) and bring it to model size."""
        return self.item(index)

    def item(self, index: int, crop: Callable[[Tensor], Tensor] | None = None) -> NativeItem:
        """Return one image, or the part of it that `crop` cuts out before augmentations.

        A crop takes image (3, h, w) or mask (1, h, w) at model size.
        """
        sample = self.listed[index]
        native_size = image_size(sample.image_path)
        image = Image(torch.from_numpy(self._pixels(sample.image_path)).permute(2, 0, 1))
        label, mask = self._truth(sample, native_size, list(image.shape[-2:]))
        if crop is not None:
            image, mask = Image(crop(image)), None if mask is None else Mask(crop(mask))
        if self.augmentations is not None:
            image, mask = self.augmentations(image, mask)
        return NativeItem(
            image=image.to(torch.float32) / 255,
            gt_mask=mask,
            gt_label=None if label is None else torch.tensor(label),
            image_path=str(sample.image_path),
            mask_path=str(sample.mask_path) if sample.mask_path else None,
            native_size=native_size,
        )

    @property
    def collate_fn(self) -> Callable[[list[NativeItem]], NativeBatch]:
        """The batch that keeps native sizes."""
        return NativeBatch.collate

    def _pixels(self, path: Path) -> np.ndarray:
        """Return the image at model size, (h, w, 3) uint8."""
        resize = self.resize
        if resize is None:
            return read_image(path, self.bit_depth)  # a cache would only copy the data set

        def make() -> np.ndarray:
            return to_model_size(read_image(path, self.bit_depth), resize)

        recipe = f"{resize.size}|{resize.interpolation}|{resize.max_size}|{resize.antialias}"
        recipe += f"|{self.bit_depth} bits" if self.bit_depth else ""
        return self.cache.get(path, recipe, make)

    def _truth(
        self, sample: Sample, native_size: tuple[int, int], size: list[int]
    ) -> tuple[int | None, Mask | None]:
        """Return the label and the mask (1, h, w) at model size, as far as known and wanted."""
        truth = sample.truth(native_size) if self.with_truth else None
        if truth is None:
            return sample.label, None
        # Of plain tensors transforms would resize the wrong way and flip nothing.
        mask = Mask(torch.from_numpy(truth.astype(np.uint8))[None])
        label = int(truth.any()) if sample.label is None else sample.label
        return label, resize_mask(mask, size)


class TileDataset(Dataset[NativeItem]):
    """The tiles of a split, image by image and row by row, so that batches mix all images.

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

        def crop(pixels: Tensor) -> Tensor:
            height, width = pixels.shape[-2:]
            grid = self.layout.grid((height, width))
            top, left = list(grid)[tile]
            return cut(pixels, Grid(grid.size, grid.tile, (top,), (left,)))[0]

        return self.images.item(image, crop)

    @property
    def collate_fn(self) -> Callable[[list[NativeItem]], Any]:
        """The batch that keeps native sizes."""
        return self.images.collate_fn

    @cached_property
    def _ends(self) -> list[int]:
        """Number of tiles up to and with each image; only headers of files are read."""
        native_sizes = (image_size(sample.image_path) for sample in self.images.listed)
        sizes = (size_at(native_size, self.images.resize) for native_size in native_sizes)
        return list(accumulate(len(self.layout.grid(size)) for size in sizes))
