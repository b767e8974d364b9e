"""Every internal of anomalib that the zoo touches, verified on anomalib 2.7.0.

What is no documented name of anomalib is used through this module only, so that its next version is
met in one place: its main branch moves the tables of datasets from pandas to polars.

- `AnomalibDataset.samples`: a pandas frame with the columns image_path, label_index, mask_path, and
  `attrs["task"]`; its setter sorts by path. Written past the setter, as `_samples`.
- `AnomalibDataset.subsample`: takes rows of `samples` by position.
- `AnomalibDataModule.train_data`, `val_data`, `test_data`: datasets that exist after `setup`.
- `AnomalibDataModule._setup`, `_update_augmentations`, `_create_test_split`, `_create_val_split`:
  hooks of `setup`, which `zoo.data.datamodule` overrides.
- `pathlib.Path.glob`, pandas' type of texts: what datamodules list and keep their tables with.
- `Engine._cache.args`: the arguments of the trainer that an engine will build.
- The modules below `anomalib` that are imported or named here.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anomalib.data import AnomalibDataModule
from anomalib.data.datamodules.base.video import AnomalibVideoDataModule
from anomalib.data.datasets.base import (
    AnomalibDataset,
    AnomalibDepthDataset,
    AnomalibVideoDataset,
)
from anomalib.data.utils import TestSplitMode
from anomalib.pre_processing.utils.spec import spec_to_transform, transform_to_spec
from anomalib.pre_processing.utils.transform import get_exportable_transform

from zoo.data.listing import is_hidden
from zoo.data.masks import read_mask
from zoo.data.sample import Sample
from zoo.data.splits import TEST, TRAIN, VALIDATION
from zoo.utils.errors import ZooError
from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from anomalib.cli.utils import CustomHelpFormatter
    from anomalib.data.transforms.utils import extract_transforms_by_type
    from anomalib.metrics.base import AnomalibMetric
    from anomalib.models.image.dinomaly.components import DinomalyMLP
    from anomalib.models.image.dinomaly.components.optimizer import StableAdamW
    from anomalib.models.image.efficient_ad.torch_model import (
        AutoEncoder,
        MediumPatchDescriptionNetwork,
        SmallPatchDescriptionNetwork,
    )
    from anomalib.models.image.inp_former.components.layers import AggregationBlock, PrototypeBlock
    from anomalib.models.image.inp_former.components.loss import GlobalCosineHmAdaptiveLoss
    from anomalib.utils.serialization import anomalib_safe_globals

__all__ = [
    "AggregationBlock",
    "AnomalibDataset",
    "AnomalibMetric",
    "AnomalibVideoDataModule",
    "AutoEncoder",
    "CustomHelpFormatter",
    "DinomalyMLP",
    "GlobalCosineHmAdaptiveLoss",
    "MediumPatchDescriptionNetwork",
    "PrototypeBlock",
    "SmallPatchDescriptionNetwork",
    "StableAdamW",
    "anomalib_safe_globals",
    "extract_transforms_by_type",
    "get_exportable_transform",
    "spec_to_transform",
    "transform_to_spec",
]

_MODELS = "anomalib.models.image"
# Imported on first use: data need neither models nor metrics.
_LAZY = {
    "AggregationBlock": f"{_MODELS}.inp_former.components.layers",
    "AnomalibMetric": "anomalib.metrics.base",
    "AutoEncoder": f"{_MODELS}.efficient_ad.torch_model",
    "CustomHelpFormatter": "anomalib.cli.utils",
    "DinomalyMLP": f"{_MODELS}.dinomaly.components",
    "GlobalCosineHmAdaptiveLoss": f"{_MODELS}.inp_former.components.loss",
    "MediumPatchDescriptionNetwork": f"{_MODELS}.efficient_ad.torch_model",
    "PrototypeBlock": f"{_MODELS}.inp_former.components.layers",
    "SmallPatchDescriptionNetwork": f"{_MODELS}.efficient_ad.torch_model",
    "StableAdamW": f"{_MODELS}.dinomaly.components.optimizer",
    "anomalib_safe_globals": "anomalib.utils.serialization",
    "extract_transforms_by_type": "anomalib.data.transforms.utils",
}
__getattr__ = lazy_names(__name__, _LAZY)

_ATTRIBUTES = {TRAIN: "train_data", VALIDATION: "val_data", TEST: "test_data"}


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
        masks = [mask for mask in (self.mask_path, *self.more_masks) if mask is not None]
        return np.logical_or.reduce([read_mask(m, native_size, self.any_value) for m in masks])


def engine_arguments(engine: Any) -> dict[str, Any]:
    """Return the arguments of the trainer that an engine will build; they may be changed."""
    return engine._cache.args


def split_dataset(datamodule: Any, split: str) -> Any:
    """Return the dataset of train, validation or test; None where there is none."""
    return getattr(datamodule, _ATTRIBUTES[split], None)


def set_split_dataset(datamodule: AnomalibDataModule, split: str, dataset: Any) -> None:
    """Put another dataset in the place of train, validation or test; None takes it away."""
    if dataset is None:
        delattr(datamodule, _ATTRIBUTES[split])
    else:
        setattr(datamodule, _ATTRIBUTES[split], dataset)


def update_augmentations(datamodule: AnomalibDataModule) -> None:
    """Let the datasets of a datamodule follow its augmentations, ours also the model."""
    datamodule._update_augmentations()


def lists_images(datamodule: AnomalibDataModule) -> bool:
    """Whether the items of a datamodule that is set up are plain image files, nothing beside."""
    dataset = split_dataset(datamodule, TRAIN)
    return isinstance(dataset, AnomalibDataset) and not isinstance(
        dataset, AnomalibDepthDataset | AnomalibVideoDataset
    )


def list_splits(datamodule: AnomalibDataModule) -> dict[str, list[Sample]]:
    """Return the samples of train, validation and test of a datamodule that is set up.

    Raises:
        ZooError: Its tables list clips, or have no labels, or name a mask that is not there.
    """
    listed = {split: samples(split_dataset(datamodule, split)) for split in (TRAIN, VALIDATION)}
    return {**listed, TEST: _test_samples(datamodule, [*listed[TRAIN], *listed[VALIDATION]])}


def samples(dataset: AnomalibDataset | None) -> list[Sample]:
    """Return the samples of a dataset in its order, without hidden files; none of no dataset.

    Its items are not read: they break on missing mask paths with pandas 3.

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


def set_samples(dataset: AnomalibDataset, listed: Sequence[Sample], split: str) -> None:
    """Give a dataset the table of samples, in their order and without missing texts."""
    table = pd.DataFrame(
        dtype=object,  # the texts of pandas 3 refuse names that are no UTF-8
        data={
            "image_path": [str(sample.image_path) for sample in listed],
            "mask_path": [str(sample.mask_path or "") for sample in listed],
            "label_index": [-1 if sample.label is None else sample.label for sample in listed],
            "split": split,
        },
    )
    table.attrs["task"] = "segmentation"
    dataset._samples = table


@contextmanager
def tables_of_objects() -> Iterator[None]:
    """Let tables of texts hold None and lists, as before pandas 3.

    anomalib writes both into columns of texts; pandas 3 gave these a type that refuses them
    (`MVTecLOCO`, `Tabular`) or compares otherwise (`AutoVI`).
    """
    if not pd.__version__.startswith("3."):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*future.infer_string")  # pandas 4 drops it
        with pd.option_context("future.infer_string", False):
            yield


@contextmanager
def hidden_files_ignored() -> Iterator[None]:
    """Let a datamodule find no `._7.png`: anomalib pairs images and masks by counting them."""
    glob = Path.glob

    def visible(folder: Path, *args: Any, **kwargs: Any) -> Iterator[Path]:
        for path in glob(folder, *args, **kwargs):
            if not any(is_hidden(name) for name in path.relative_to(folder).parts):
                yield path

    Path.glob = visible  # type: ignore[assignment,method-assign]  # put back below
    try:
        yield
    finally:
        Path.glob = glob  # type: ignore[method-assign]


def _test_samples(datamodule: AnomalibDataModule, others: Sequence[Sample]) -> list[Sample]:
    """Return all test images, also the normal ones that test_split_mode "none" drops."""
    if split_dataset(datamodule, TEST) is None:
        return []
    again = copy.copy(datamodule)
    again.num_workers = 0  # a loader with many of them warns
    tested = samples(again.test_dataloader().dataset)  # where `MVTecAD2` keeps the complete split
    if datamodule.test_split_mode != TestSplitMode.NONE:
        return tested
    again._setup()
    whole = samples(again.test_dataloader().dataset)
    known = {sample.image_path for sample in [*tested, *others]}
    dropped = [s for s in whole if s.label == 0 and s.image_path not in known]
    return sorted([*tested, *dropped], key=lambda sample: sample.image_path)


def _sample(image: str, label: Any, mask: Any) -> Sample:
    image_path = Path(image)
    known = None if pd.isna(label) or int(label) not in (0, 1) else int(label)
    masks = _paths(mask) if known != 0 else []  # whatever lies beside a normal image
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
