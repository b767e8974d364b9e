"""A split of one object as an anomalib dataset: cached uint8 reading and native sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from anomalib.data.datasets.base.image import AnomalibDataset
from pandas import DataFrame
from torch import Tensor
from torchvision.transforms.v2 import Resize, Transform
from torchvision.transforms.v2.functional import resize as resize_mask
from torchvision.tv_tensors import Image, Mask

from zoo.data.batch import NativeBatch, NativeItem
from zoo.data.cache import ImageCache
from zoo.data.images import image_size, read_image
from zoo.data.sample import Sample
from zoo.data.tiling.grid import check_pixels
from zoo.data.tiling.scaled import Scaled


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
        self.cache = cache
        self.resize: Resize | None = None
        self.bit_depth: int | None = None
        self.with_truth = True
        self.category = object_name
        self._samples = _frame(self.listed, split)  # anomalib's setter would sort by path once more

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.listed)

    def subsample(self, indices: Sequence[int], inplace: bool = False) -> LayoutDataset:
        """Return the dataset of the images at `indices`."""
        chosen = super().subsample(indices, inplace)
        chosen.listed = [self.listed[index] for index in indices]
        return chosen

    def __getitem__(self, index: int) -> NativeItem:
        """Read one image (from the cache if it is there) and bring it to model size."""
        return self.item(index)

    def item(self, index: int, crop: Callable[[Tensor], Tensor] | None = None) -> NativeItem:
        """Return one image, or a part of it at model size.

        Args:
            index: Its place in the split.
            crop: Cuts the part out of image (3, h, w) and mask (1, h, w), before augmentations.
        """
        sample = self.listed[index]
        native_size = image_size(sample.image_path)
        image = Image(torch.from_numpy(self._pixels(sample.image_path)).permute(2, 0, 1))
        label, mask = self._truth(sample, native_size, tuple(image.shape[-2:]))
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
    def collate_fn(self) -> Callable:
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
        self, sample: Sample, native_size: tuple[int, int], size: tuple[int, int]
    ) -> tuple[int | None, Mask | None]:
        """Return the label and the mask at model size, as far as they are known and wanted.

        The mask stays a `Mask`, (1, h, w): of plain tensors transforms would resize the wrong way
        and flip nothing.
        """
        if not self.with_truth:
            return sample.label, None
        truth = sample.truth(native_size)
        if truth is None:
            return sample.label, None
        mask = Mask(torch.from_numpy(truth.astype(np.uint8))[None])
        label = int(truth.any()) if sample.label is None else sample.label
        return label, resize_mask(mask, list(size))


def to_model_size(pixels: np.ndarray, resize: Resize | None) -> np.ndarray:
    """Return an image (H, W, 3) uint8 at the model's size, (h, w, 3) uint8.

    Everything that feeds a model resizes here, so that equal pixels give equal maps.

    Raises:
        ZooError: It would have too many pixels there.
    """
    if resize is None:
        return pixels
    size_at(pixels.shape[:2], resize)
    channels_first = torch.from_numpy(pixels).permute(2, 0, 1)
    return np.ascontiguousarray(resize(Image(channels_first)).permute(1, 2, 0).numpy())


def size_at(native_size: tuple[int, int], resize: Resize | None) -> tuple[int, int]:
    """Return (h, w) that an image of native size (H, W) has at the model's size.

    Raises:
        ZooError: They are too many pixels.
    """
    if resize is None:
        return native_size
    if isinstance(resize, Scaled):
        return resize.size_of(native_size)
    if resize.size is not None and len(resize.size) == 2:
        return tuple(resize.size)
    height, width = resize(torch.empty(native_size, device="meta")[None]).shape[-2:]
    check_pixels(native_size, (height, width))
    return height, width


def _frame(listed: Sequence[Sample], split: str) -> DataFrame:
    """Describe the samples in anomalib's columns, without missing values among texts."""
    frame = DataFrame(
        # Objects: the texts of pandas 3 refuse names that are no UTF-8.
        dtype=object,
        data={
            "image_path": [str(sample.image_path) for sample in listed],
            "mask_path": [str(sample.mask_path or "") for sample in listed],
            "label_index": [-1 if sample.label is None else sample.label for sample in listed],
            "split": split,
        },
    )
    frame.attrs["task"] = "segmentation"
    return frame
