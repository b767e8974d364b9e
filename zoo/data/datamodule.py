"""Datamodules with named splits and native sizes: the base, and the MVTec AD 2 layout."""

from __future__ import annotations

import hashlib
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from anomalib.data import AnomalibDataModule
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import Resize, Transform

from zoo.data import layout as on_disk
from zoo.data.cache import DEFAULT_BUDGET_MB, ImageCache
from zoo.data.dataset import LayoutDataset, TileDataset
from zoo.data.images import (
    beyond_depth,
    check_bit_depth,
    doubt_about,
    find_bit_depth,
    image_size,
    read_pixels,
)
from zoo.data.known_images import check_no_test_folder
from zoo.data.order import KeyedLoader
from zoo.data.sample import Sample, split_fingerprint
from zoo.data.splits import FIT_SPLITS, TEST_SPLITS, TRAIN, VALIDATION
from zoo.data.tiling.grid import Layout
from zoo.data.transforms import leading_resize, pre_processing_of, size_at
from zoo.utils.errors import ZooError, ZooWarning, nearest


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
            default, see `zoo.data.images`.

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
        self._notices: list[str] = []
        self._resize: Resize | None = None
        self._layout: Layout | None = None
        self._given_bit_depth = check_bit_depth(bit_depth)

    @cached_property
    def bit_depth(self) -> int | None:
        """The bit depth of 16-bit images: the one given, or what normal images hold."""
        if self._given_bit_depth is not None:
            return self._given_bit_depth
        paths: list[Path] = []
        for split in FIT_SPLITS:
            with suppress(ZooError):  # a test split alone has the depth of its files
                paths += [sample.image_path for sample in self.listed(split)]
        return find_bit_depth(paths, self.cache)

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

    @property
    def notices(self) -> list[str]:
        """Lines for people: what was left out, what to be wary of."""
        return self._notices

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when an image, a mask or a split changes."""
        splits = (*FIT_SPLITS, *self.test_splits())
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
        dataset: Any = loader.dataset
        if not all(sample.has_truth for sample in dataset.listed):
            raise ZooError(
                f"'{self.test_split or 'test'}' of '{self.object_name}' has no ground truth here: "
                "use `zoo predict`, or another --data.test_split"
            )
        return loader

    def follow(self, model_transform: Transform | None, layout: Layout | None = None) -> None:
        """Resize while reading as the model's pre-processor will, so that small images are cached.

        With a layout of tiles these are the training items.

        Raises:
            ZooError: The transform crops, which would leave the border of every image unscored.
        """
        self._resize = leading_resize(model_transform)
        self._layout = layout

    def follow_model(self, model: Any) -> None:
        """Read images as a model's pre-processor wants them, see `follow`."""
        pre_processing = pre_processing_of(model.pre_processor)
        self.follow(pre_processing.transform, pre_processing.layout)

    def check_headers(self, splits: Sequence[str]) -> None:
        """Read the header of every image of some splits; nothing is decoded.

        Raises:
            ZooError: An image cannot be read, or would be too large for the model.
        """
        for split in splits:
            for sample in self.listed(split):
                native_size = image_size(sample.image_path)
                try:
                    size_at(native_size, self._resize)
                except ZooError as error:
                    raise ZooError(f"{sample.image_path}: {error}, or remove it") from error

    def check_images(self, splits: Sequence[str], report: Callable[[str], None]) -> None:
        """Read every image and mask of some splits once, which fills the cache.

        Raises:
            ZooError: An image or a mask cannot be read, or does not fit the other.
        """
        for split in splits:
            dataset = self.dataset(split)
            dataset.augmentations, dataset.with_truth = None, False
            for index, sample in enumerate(dataset.listed):
                report(f"reading {split} {index}/{len(dataset)}")
                dataset[index]
                sample.truth(image_size(sample.image_path))

    def warn_of_depths(self, split: str) -> None:
        """Warn of the 16-bit images of a split that do not fit the bit depth, in one line."""
        images = (sample.image_path for sample in self.listed(split))
        if paths := beyond_depth(images, self.bit_depth, self.cache):
            doubt = doubt_about(read_pixels(paths[0]), self.bit_depth)
            more = f" and {len(paths) - 1} more: each" if len(paths) > 1 else ""
            warnings.warn(f"{paths[0]}{more} {doubt}", ZooWarning, stacklevel=2)

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
                if name == "train_data" and self._layout is not None:
                    data = TileDataset(data, self._layout)
                setattr(self, name, data)

    def _test_split_on_disk(self) -> str | None:
        splits = self.test_splits()
        return self.test_split if self.test_split in splits else next(iter(splits), None)

    # Splits have names; nothing is split behind their backs.
    def _create_test_split(self) -> None: ...

    def _create_val_split(self) -> None: ...


class MVTecAD2Layout(NativeDataModule):
    """One object of a data set in the MVTec AD 2 layout, whatever the objects are called.

    Args:
        root: Folder that holds one folder per object.
        category: Name of the object (anomalib's word for it).
        test_split: What `test` and `predict` run on: test_public, test_private or
            test_private_mixed.
        **options: Those of `NativeDataModule`; no split is drawn, so that a seed decides the order
            of training images alone.

    Raises:
        ZooError: Unknown test split.
    """

    def __init__(
        self,
        root: str | Path = "./datasets/MVTec_AD_2",
        category: str = "",
        test_split: str = "test_public",
        **options: Any,
    ) -> None:
        if test_split not in TEST_SPLITS:
            near = nearest(test_split, TEST_SPLITS)
            raise ZooError(f"unknown test_split '{test_split}'{near}")
        super().__init__(test_split=test_split, **options)
        self.root = Path(root)
        self.category = category

    @property
    def object_name(self) -> str:
        """The category."""
        return self.category

    @property
    def notices(self) -> list[str]:
        """What has the name of an image and cannot be opened."""
        return on_disk.notices(self.root, self.category)

    def listed(self, split: str) -> list[Sample]:
        """Return the images of a split, sorted by path."""
        category = on_disk.check_object(self.root, self.category or "")
        listed = on_disk.samples(self.root, category, split)
        if split in FIT_SPLITS:  # whose images may be links
            check_no_test_folder(sample.image_path for sample in listed)
        return listed

    def test_splits(self) -> list[str]:
        """Return the test splits on disk, in protocol order."""
        return on_disk.splits_on_disk(self.root, self.category)

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when an image of the object changes."""
        return on_disk.fingerprint(self.root, self.category)

    def _test_split_on_disk(self) -> str | None:
        # Asked for by name: another one must not stand in for it.
        return self.test_split if self.test_split in self.test_splits() else None
