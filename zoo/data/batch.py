"""Anomalib's image item and batch, extended by the native size that masks are measured at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from anomalib.data import Batch, ImageBatch, ImageItem

from zoo.data.images import image_size
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
    def collate(cls, items: list[NativeItem]) -> NativeBatch:
        """Stack items; unlike anomalib's collate it never stretches images to a common size.

        Raises:
            ZooError: The images have several sizes, which one tensor cannot hold.
        """
        shapes = {tuple(item.image.shape[-2:]) for item in items}
        if len(shapes) > 1:
            sizes = ", ".join(f"{width}x{height}" for height, width in sorted(shapes)[:3])
            raise ZooError(
                f"images of several sizes ({sizes}) in one batch: set the data's batch sizes to 1, "
                "or give the model's pre-processor a Resize to a fixed height and width"
            )

        def stacked(field: str) -> torch.Tensor | None:
            values = [getattr(item, field) for item in items]
            return None if any(value is None for value in values) else torch.stack(values)

        return cls(
            image=stacked("image"),
            gt_label=stacked("gt_label"),
            gt_mask=stacked("gt_mask"),
            image_path=[item.image_path for item in items],
            mask_path=[item.mask_path or "" for item in items],
            native_size=[item.native_size for item in items],
        )


def native_sizes(batch: Batch) -> list[tuple[int, int]]:
    """Return (H, W) of each image; of images in memory, which have no file, it is the batch's."""
    if getattr(batch, "native_size", None):
        return batch.native_size
    if getattr(batch, "image_path", None):  # anomalib's own items do not say
        return [image_size(Path(path)) for path in batch.image_path]
    return [tuple(batch.image.shape[-2:])] * len(batch.image)
