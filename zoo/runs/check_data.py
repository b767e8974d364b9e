"""All images of a run are looked at before the first step, so that none can end it hours later."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from zoo.data.datamodule import NativeDataModule
from zoo.data.images import doubt_about, image_size, read_pixels
from zoo.data.transforms import size_at
from zoo.utils.errors import ZooError, ZooWarning


def check_headers(datamodule: NativeDataModule, splits: Sequence[str]) -> None:
    """Read the header of every image once; nothing is decoded.

    Args:
        datamodule: Data of one object, resizing as the model does.
        splits: Which splits.

    Raises:
        ZooError: An image is none that can be read, or it would be too large for the model.
    """
    for split in splits:
        resize = datamodule.dataset(split).resize
        for sample in datamodule.listed(split):
            native_size = image_size(sample.image_path)
            try:
                size_at(native_size, resize)
            except ZooError as error:
                raise ZooError(f"{sample.image_path}: {error}, or remove it") from error


def warn_of_depths(datamodule: NativeDataModule, split: str) -> None:
    """Warn of the 16-bit images of a split that do not fit the data's bit depth, in one line."""
    paths = datamodule.doubtful_depths(split)
    if paths:
        doubt = doubt_about(read_pixels(paths[0]), datamodule.bit_depth)
        more = f" and {len(paths) - 1} more: each" if len(paths) > 1 else ""
        warnings.warn(f"{paths[0]}{more} {doubt}", ZooWarning, stacklevel=2)


def check_data(
    datamodule: NativeDataModule, splits: Sequence[str], say: Callable[[str], None]
) -> None:
    """Read every image and every mask once; where images are resized that fills the cache.

    Args:
        datamodule: Data of one object, resizing as the model does.
        splits: Which splits.
        say: Receives how far it is.

    Raises:
        ZooError: An image or a mask cannot be read, or does not fit the other.
    """
    for split in splits:
        listed = datamodule.listed(split)
        dataset = datamodule.dataset(split)
        dataset.augmentations, dataset.with_truth = None, False
        for index, sample in enumerate(listed):
            say(f"reading {split} {index}/{len(listed)}")
            dataset[index]
            sample.truth(image_size(sample.image_path))
