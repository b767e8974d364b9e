"""Which images calibrate while anomalib's engine runs, and the scores of those it does not make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anomalib import LearningType
from anomalib.data import AnomalibDataModule
from anomalib.models import AnomalibModule
from torch.utils.data import DataLoader

from zoo.data.anomalib_internals import (
    list_splits,
    lists_images,
    samples,
    set_split_dataset,
    split_dataset,
    update_augmentations,
)
from zoo.data.cache import ImageCache
from zoo.data.calibration_images import CalibrationImages, choose, without
from zoo.data.datamodule import NativeDataModule
from zoo.data.dataset import LayoutDataset
from zoo.data.splits import TRAIN, VALIDATION
from zoo.data.transforms import leading_resize, pre_processing_of
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import score_batch

_NOT_TRAINED = {LearningType.ZERO_SHOT, LearningType.FEW_SHOT}


class EngineImages:
    """The calibration images of one run of anomalib's engine.

    Our own datamodules validate on normal images that are in no other split. Of anomalib's,
    whatever their items hold beside the image, tables say which files are in which split. Of bare
    dataloaders only labels are known: there every image labelled normal calibrates.

    Args:
        trainer: Lightning's trainer with its datamodule set up, before it asks for dataloaders.
        model: The model that will be fitted or validated.
        fitting: A fit is to come; otherwise a model is only validated.

    Attributes:
        source: Where the images come from, for the record.

    Raises:
        ZooError: Neither validation nor train has an image to calibrate on; or images must be held
            out for a model whose pre-processor crops them; or the datamodule shows videos.
    """

    def __init__(
        self, trainer: Any = None, model: AnomalibModule | None = None, fitting: bool = True
    ) -> None:
        self.source = "validation"
        self._admitted: set[Path] | None = None  # None: labels alone decide
        self._held_out: Any = None  # a dataset
        self._borrowed: dict[str, Any] = {}
        self._datamodule: Any = trainer.datamodule if trainer else None
        datamodule = self._datamodule
        if model is None or isinstance(datamodule, NativeDataModule):
            return
        if not isinstance(datamodule, AnomalibDataModule):
            return
        # A fitted model has seen train; one that learns without a fit has not.
        may_hold_out = fitting or model.learning_type in _NOT_TRAINED
        owner, seed = type(datamodule).__name__, datamodule.seed or 0
        splits = list_splits(datamodule)
        chosen = choose(**splits, seed=seed, owner=owner, may_hold_out=may_hold_out)
        if trainer.is_global_zero:
            print(chosen.notice)
        self.source = chosen.source
        self._admitted = set() if chosen.held_out else {s.image_path for s in chosen.samples}
        if chosen.held_out:
            self._hold_out(chosen, model)

    @property
    def held_out(self) -> bool:
        """Whether the images come from train, so that the engine does not score them."""
        return self._held_out is not None

    def admits(self, batch: Any) -> list[bool]:
        """Return for each image of a validation batch whether it calibrates."""
        if batch.gt_label is None:
            return [False] * len(batch.image)
        normal = [int(label) == 0 for label in batch.gt_label]
        if self._admitted is None:
            return normal
        paths = zip(normal, batch.image_path, strict=True)
        return [is_normal and Path(path) in self._admitted for is_normal, path in paths]

    def scores(self, model: AnomalibModule) -> Iterator[Scored]:
        """Score the images that were held out of train, in evaluation mode, at native sizes."""
        loader = DataLoader(
            self._held_out,
            batch_size=self._datamodule.eval_batch_size,
            num_workers=self._datamodule.num_workers,
            collate_fn=self._held_out.collate_fn,
        )
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            for batch in loader:
                yield from score_batch(model, batch)
        finally:
            for module, training in modes.items():
                module.training = training

    def give_back(self) -> None:
        """Let the datamodule have its training images again, for the next fit."""
        for split, dataset in self._borrowed.items():
            set_split_dataset(self._datamodule, split, dataset)
        self._borrowed = {}

    def _hold_out(self, chosen: CalibrationImages, model: AnomalibModule) -> None:
        datamodule = self._datamodule
        resize = leading_resize(pre_processing_of(model.pre_processor).transform)
        whole = split_dataset(datamodule, TRAIN)
        train = samples(whole)
        kept = {sample.image_path for sample in without(train, chosen.samples)}
        rest = [index for index, sample in enumerate(train) if sample.image_path in kept]
        share = sorted(set(range(len(train))) - set(rest))
        dataset: Any
        if lists_images(datamodule):
            dataset = LayoutDataset(chosen.samples, datamodule.category, "train", ImageCache())
            dataset.resize = resize
            dataset.with_truth = False
        else:  # only its own items have depths, which the model may want
            dataset = whole.subsample(share)
            dataset.augmentations = None
        self._held_out = dataset

        self._borrowed = {TRAIN: whole}
        if split_dataset(datamodule, VALIDATION) is None:  # anomalib would stop with an error
            self._borrowed[VALIDATION] = None
            set_split_dataset(datamodule, VALIDATION, whole.subsample(share))
        set_split_dataset(datamodule, TRAIN, whole.subsample(rest))
        update_augmentations(datamodule)
