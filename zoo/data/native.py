"""The base of all our datamodules: named splits, one object, native sizes, nothing drawn twice.

A subclass says which images a split has; reading, caching, resizing and batching are here. Runs
need no more than this, so that every source of data is judged alike.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from anomalib.data import AnomalibDataModule
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import CenterCrop, Compose, Resize, Transform

from zoo.data.bit_depth import beyond_depth, check_bit_depth, find_bit_depth
from zoo.data.cache import DEFAULT_BUDGET_MB, ImageCache
from zoo.data.dataset import LayoutDataset
from zoo.data.order import KeyedLoader
from zoo.data.sample import Sample, split_fingerprint
from zoo.data.tiling.dataset import TileDataset
from zoo.data.tiling.grid import Layout
from zoo.utils.errors import ZooError

TRAIN, VALIDATION = "train", "validation"


class NativeDataModule(AnomalibDataModule):
    """Splits of one object: `train` and `validation` are normal images, the others are for tests.

    Args:
        train_batch_size: Images per training batch.
        eval_batch_size: Images per batch in validation, test and prediction.
        num_workers: Processes that read images; 0 reads in the main process, which the cache
            makes fast enough without a GPU.
        train_augmentations: Applied to training images at model size, after the resize.
        cache_mb: Budget of the image cache on disk, in MB; 0 switches it off.
        seed: Seed of whatever the subclass draws.
        test_split: What anomalib's `test` and `predict` run on; the first test split by default.
        bit_depth: Of 16-bit images, from 8 to 16; found in those of train and validation by
            default, see `zoo.data.bit_depth`.

    Raises:
        ZooError: There is no such bit depth.
    """

    def __init__(
        self,
        train_batch_size: int = 8,
        eval_batch_size: int = 8,
        num_workers: int = 0,
        train_augmentations: Transform | None = None,
        cache_mb: int = DEFAULT_BUDGET_MB,
        seed: int | None = None,
        test_split: str | None = None,
        bit_depth: int | None = None,
    ) -> None:
        super().__init__(
            train_batch_size=train_batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_augmentations=train_augmentations,
            seed=seed,
        )
        self.test_split = test_split
        self.cache = ImageCache(cache_mb)
        self._resize: Resize | None = None
        self._layout: Layout | None = None
        self._given_bit_depth = check_bit_depth(bit_depth)

    @cached_property
    def bit_depth(self) -> int | None:
        """The bit depth of 16-bit images: the one given, or what normal images hold."""
        if self._given_bit_depth is not None:
            return self._given_bit_depth
        paths: list[Path] = []
        for split in (TRAIN, VALIDATION):
            with suppress(ZooError):  # a test split alone has the depth of its files
                paths += [sample.image_path for sample in self.listed(split)]
        return find_bit_depth(paths, self.cache)

    def doubtful_depths(self, split: str) -> list[Path]:
        """Return the 16-bit images of a split that do not fit the bit depth."""
        paths = (sample.image_path for sample in self.listed(split))
        return beyond_depth(paths, self.bit_depth, self.cache)

    @property
    @abstractmethod
    def object_name(self) -> str:
        """The object that the images show; names the run's folder."""

    @abstractmethod
    def listed(self, split: str) -> list[Sample]:
        """Return the images of a split in the order in which they are read.

        Raises:
            ZooError: There is no such split, or it is empty.
        """

    @abstractmethod
    def test_splits(self) -> list[str]:
        """Return the names of the test splits that are there."""

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when an image, a mask or a split changes."""
        splits = (TRAIN, VALIDATION, *self.test_splits())
        prints = {split: split_fingerprint(self.listed(split)) for split in splits}
        return hashlib.sha256(repr(prints).encode()).hexdigest()[:16]

    def source(self, split: str) -> str:
        """Return where the images of a split come from, in words, for records."""
        return split

    def dataset(self, split: str) -> LayoutDataset:
        """Return one split at the model's size."""
        augmentations = self.train_augmentations if split == TRAIN else None
        dataset = LayoutDataset(
            self.listed(split), self.object_name, split, self.cache, augmentations
        )
        dataset.resize = self._resize
        dataset.bit_depth = self.bit_depth
        return dataset

    def dataloader(self, split: str) -> DataLoader:
        """Return one split as batches, in order and without truth.

        Metrics at native size read the masks themselves; decoding them twice would be waste.
        """
        dataset = self.dataset(split)
        dataset.with_truth = False
        return DataLoader(
            dataset,
            batch_size=self.eval_batch_size,
            num_workers=self.num_workers,
            collate_fn=dataset.collate_fn,
        )

    def train_dataloader(self) -> DataLoader:
        """Return the training images as shuffled batches that seed, epoch and index decide."""
        seed = torch.initial_seed() if self.seed is None else self.seed
        return KeyedLoader(
            self.train_data,
            self.train_batch_size,
            seed,
            num_workers=self.num_workers,
            collate_fn=self.external_collate_fn or self.train_data.collate_fn,
        )

    def follow(self, model_transform: Transform | None, layout: Layout | None = None) -> None:
        """Resize while reading as the model's pre-processor will, so that small images are cached.

        Args:
            model_transform: The transform of the pre-processor.
            layout: Where it cuts images into tiles; then tiles are the training items.

        Raises:
            ZooError: The transform crops, which would leave the border of every image unjudged.
        """
        self._resize = leading_resize(model_transform)
        self._layout = layout

    def follow_model(self, model: Any) -> None:
        """Read images as a model's pre-processor wants them, see `follow`."""
        pre_processor = getattr(model, "pre_processor", None)
        transform = getattr(pre_processor, "transform", None)
        self.follow(transform, getattr(pre_processor, "layout", None))

    def _setup(self, _stage: str | None = None) -> None:
        self.train_data = self.dataset(TRAIN)
        self.val_data = self.dataset(VALIDATION)
        split = self._test_split_on_disk()
        if split is not None:
            self.test_data = self.dataset(split)

    def _update_augmentations(self) -> None:
        model = getattr(self.trainer, "model", None)
        if model is not None:
            self.follow_model(model)
        for name in ("train_data", "val_data", "test_data"):
            if hasattr(self, name):
                data = getattr(self, name)
                data = data.images if isinstance(data, TileDataset) else data
                data.resize = self._resize
                in_tiles = name == "train_data" and self._layout is not None
                setattr(self, name, TileDataset(data, self._layout) if in_tiles else data)

    def _test_split_on_disk(self) -> str | None:
        found = self.test_splits()
        return self.test_split if self.test_split in found else next(iter(found), None)

    def predict_dataloader(self) -> DataLoader:
        """Return the test split for anomalib's `predict`, which needs no truth.

        Raises:
            ZooError: There is no test split.
        """
        if not hasattr(self, "test_data"):
            self.test_data = self.dataset(self.test_split or "test")
        return super().test_dataloader()

    def test_dataloader(self) -> DataLoader:
        """Return the test split for anomalib's `test`.

        Raises:
            ZooError: There is no test split, or its truth is withheld.
        """
        loader = self.predict_dataloader()
        if not all(sample.has_truth for sample in self.test_data.listed):
            raise ZooError(
                f"'{self.test_split or 'test'}' of '{self.object_name}' has no ground truth here: "
                "use `zoo predict`, or another --data.test_split"
            )
        return loader

    # Splits have names; nothing is split behind their backs.
    def _create_test_split(self) -> None: ...

    def _create_val_split(self) -> None: ...


def leading_resize(transform: Transform | None) -> Resize | None:
    """Return the resize that a pre-processor begins with, if it does.

    A resize that comes after something else (a padding, say) cannot be anticipated.

    Raises:
        ZooError: The transform crops.
    """
    parts = parts_of(transform)
    if any(isinstance(part, CenterCrop) for part in parts):
        raise ZooError(
            "the model's pre-processor crops images to their centre, so that defects at the "
            "border are never seen: give the model a pre_processor with Resize and Normalize"
        )
    return parts[0] if parts and isinstance(parts[0], Resize) else None


def parts_of(transform: Transform | None) -> list[Transform]:
    """Return the transforms that a composition consists of, in order; none for None."""
    if isinstance(transform, Compose):
        return [part for inner in transform.transforms for part in parts_of(inner)]
    return [] if transform is None else [transform]
