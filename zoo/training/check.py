"""All images of a run are read before the first step, so that none can end it hours later."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zoo.data.images import image_size
from zoo.data.native import TRAIN, VALIDATION, NativeDataModule


def check_data(
    datamodule: NativeDataModule, splits: Sequence[str], say: Callable[[str], None]
) -> None:
    """Read every image and every mask once; where images are resized that fills the cache.

    Args:
        datamodule: Data of one object, resizing as the model does.
        splits: Test splits that will be judged.
        say: Receives how far it is.

    Raises:
        ZooError: An image or a mask cannot be read, or does not fit the other.
    """
    for split in (TRAIN, VALIDATION, *splits):
        listed = datamodule.listed(split)
        dataset = datamodule.dataset(split)
        dataset.augmentations, dataset.with_truth = None, False
        for index, sample in enumerate(listed):
            say(f"reading {split} {index}/{len(listed)}")
            dataset[index]
            sample.truth(image_size(sample.image_path))
