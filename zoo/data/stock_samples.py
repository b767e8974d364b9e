"""What a stock anomalib datamodule lists, as samples: the images it trains, validates and tests on.

Only its tables are read, never its items: those break on missing mask paths with pandas 3, and
carry no native size.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anomalib.data import AnomalibDataModule
from anomalib.data.datasets.base import (
    AnomalibDataset,
    AnomalibDepthDataset,
    AnomalibVideoDataset,
)
from anomalib.data.utils import TestSplitMode

from zoo.data.listing import is_hidden
from zoo.data.sample import Sample
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class ManyMasks(Sample):
    """An image with one mask per defect, as in MVTec LOCO; together they are its truth.

    Attributes:
        more_masks: All masks but the first.
    """

    more_masks: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """See `Sample`."""
        return (*super().files, *self.more_masks)

    def truth(self, native_size: tuple[int, int]) -> np.ndarray | None:
        """See `Sample`."""
        masks = [self.mask_path, *self.more_masks]
        parts = [Sample(self.image_path, mask, 1, self.any_value) for mask in masks]
        return np.logical_or.reduce([part.truth(native_size) for part in parts])


def lists_pictures(datamodule: AnomalibDataModule) -> bool:
    """Whether the items of a datamodule that is set up are plain image files, nothing beside."""
    dataset = getattr(datamodule, "train_data", None)
    return isinstance(dataset, AnomalibDataset) and not isinstance(
        dataset, AnomalibDepthDataset | AnomalibVideoDataset
    )


def listed(datamodule: AnomalibDataModule) -> dict[str, list[Sample]]:
    """Return the samples of train, validation and test of a datamodule that is set up.

    Raises:
        ZooError: Its tables list clips, or have no labels, or name a mask that is not there.
    """
    return {
        "train": samples(getattr(datamodule, "train_data", None)),
        "validation": samples(getattr(datamodule, "val_data", None)),
        "test": _tested(datamodule),
    }


def samples(dataset: AnomalibDataset | None) -> list[Sample]:
    """Return the samples of a dataset in its order, without hidden files; none of no dataset.

    Raises:
        ZooError: Its table lists clips, or has no labels, or names a mask that is not there.
    """
    if dataset is None or not len(dataset):
        return []
    if isinstance(dataset, AnomalibVideoDataset):
        raise ZooError(
            f"{type(dataset).__name__} lists clips of videos, and which of their frames are normal "
            "test images cannot be told: give the model anomalib's own post_processor, or put the "
            "frames into folders"
        )
    table = dataset.samples
    if "label_index" not in table:
        raise ZooError(
            f"{type(dataset).__name__} does not say which images are normal: "
            "its samples need a column label_index"
        )
    masks = table["mask_path"] if "mask_path" in table else [None] * len(table)
    rows = zip(table["image_path"], table["label_index"], masks, strict=True)
    return [_sample(*row) for row in rows if not is_hidden(Path(row[0]).name)]


def _tested(datamodule: AnomalibDataModule) -> list[Sample]:
    """Return all test images.

    The loader is asked, as `MVTecAD2` keeps the complete split there. With test_split_mode "none"
    anomalib drops the normal test images; they are listed once more, and added.
    """
    if getattr(datamodule, "test_data", None) is None:
        return []
    asked = copy.copy(datamodule)
    asked.num_workers = 0  # a loader with many of them warns
    tested = samples(asked.test_dataloader().dataset)
    if datamodule.test_split_mode != TestSplitMode.NONE:
        return tested
    asked._setup()
    whole = samples(asked.test_dataloader().dataset)
    elsewhere = [*tested, *samples(getattr(datamodule, "train_data", None))]
    elsewhere += samples(getattr(datamodule, "val_data", None))
    known = {sample.image_path for sample in elsewhere}
    dropped = [s for s in whole if s.label == 0 and s.image_path not in known]
    return sorted([*tested, *dropped], key=lambda sample: sample.image_path)


def _sample(image: str, label: Any, mask: Any) -> Sample:
    image_path = Path(image)
    known = None if pd.isna(label) or int(label) not in (0, 1) else int(label)
    masks = _paths(mask) if known != 0 else []  # a good image is good, whatever lies beside it
    for path in masks:
        if not path.is_file():
            raise ZooError(f"no mask for {image_path}: {path} does not exist; add it")
    if len(masks) > 1:
        return ManyMasks(image_path, masks[0], known, any_value=True, more_masks=tuple(masks[1:]))
    return Sample(image_path, masks[0] if masks else None, known, any_value=True)


def _paths(mask: Any) -> list[Path]:
    """Return the paths in a cell: a text, a path, a list of them, or any sign of nothing."""
    if isinstance(mask, Sequence | np.ndarray) and not isinstance(mask, str):
        return [path for one in mask for path in _paths(one)]
    return [Path(mask)] if isinstance(mask, str | Path) and str(mask) else []
