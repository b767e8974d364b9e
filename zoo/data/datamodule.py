"""The lightning datamodule for data in the MVTec AD 2 layout, whatever the objects are called.

Unlike anomalib's `MVTecAD2` it works with pandas 3, keeps files sorted and good test images in the
test set, loads the private splits, carries native sizes and never downloads.
"""

from __future__ import annotations

from pathlib import Path

from anomalib.data import AnomalibDataModule
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import CenterCrop, Compose, Resize, Transform

from zoo.data import layout
from zoo.data.cache import DEFAULT_BUDGET_MB, ImageCache
from zoo.data.dataset import LayoutDataset
from zoo.errors import ZooError, nearest


class MVTecAD2Layout(AnomalibDataModule):
    """One object of a data set in the MVTec AD 2 layout.

    Args:
        root: Folder that holds one folder per object.
        category: Name of the object (anomalib's word for it).
        train_batch_size: Images per training batch.
        eval_batch_size: Images per batch in validation, test and prediction.
        num_workers: Processes that read images; 0 reads in the main process, which the cache
            makes fast enough without a GPU.
        test_split: What `test` and `predict` run on: test_public, test_private or
            test_private_mixed.
        train_augmentations: Applied to training images at model size, after the resize.
        cache_mb: Budget of the image cache on disk, in MB; 0 switches it off.
        seed: Kept for anomalib's interface; nothing is drawn at random here.

    Raises:
        ZooError: Unknown test split.
    """

    def __init__(
        self,
        root: str | Path = "./datasets/MVTec_AD_2",
        category: str = "",
        train_batch_size: int = 8,
        eval_batch_size: int = 8,
        num_workers: int = 0,
        test_split: str = "test_public",
        train_augmentations: Transform | None = None,
        cache_mb: int = DEFAULT_BUDGET_MB,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            train_batch_size=train_batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_augmentations=train_augmentations,
            seed=seed,
        )
        if test_split not in layout.TEST_SPLITS:
            near = nearest(test_split, layout.TEST_SPLITS)
            raise ZooError(f"unknown test_split '{test_split}'{near}")
        self.root = Path(root)
        self.category = category
        self.test_split = test_split
        self.cache = ImageCache(cache_mb)
        self._resize: Resize | None = None

    def dataset(self, split: str) -> LayoutDataset:
        """Return one split (train, validation or a test split) at the model's size."""
        category = layout.check_object(self.root, self.category or "")
        augmentations = self.train_augmentations if split == "train" else None
        listed = layout.samples(self.root, category, split)
        dataset = LayoutDataset(listed, category, split, self.cache, augmentations)
        dataset.resize = self._resize
        return dataset

    def dataloader(self, split: str) -> DataLoader:
        """Return one split as batches, in sorted order and without truth.

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

    def follow(self, model_transform: Transform | None) -> None:
        """Resize while reading as the model's pre-processor will, so that small images are cached.

        Raises:
            ZooError: The transform crops, which would leave the border of every image unjudged.
        """
        parts = _parts(model_transform)
        if any(isinstance(part, CenterCrop) for part in parts):
            raise ZooError(
                "the model's pre-processor crops images to their centre, so that defects at the "
                "border are never seen: give the model a pre_processor with Resize and Normalize"
            )
        # A resize that comes after something else (a padding, say) is not ours to anticipate.
        self._resize = parts[0] if parts and isinstance(parts[0], Resize) else None

    def _setup(self, _stage: str | None = None) -> None:
        self.train_data = self.dataset("train")
        self.val_data = self.dataset("validation")
        if self.test_split in layout.splits_on_disk(self.root, self.category):
            self.test_data = self.dataset(self.test_split)

    def _update_augmentations(self) -> None:
        model = getattr(self.trainer, "model", None)
        if model is not None:
            self.follow(getattr(getattr(model, "pre_processor", None), "transform", None))
        for name in ("train_data", "val_data", "test_data"):
            if hasattr(self, name):
                getattr(self, name).resize = self._resize

    def predict_dataloader(self) -> DataLoader:
        """Return the test split for anomalib's `predict`, which needs no truth.

        Raises:
            ZooError: The split is not on disk.
        """
        if not hasattr(self, "test_data"):
            self.test_data = self.dataset(self.test_split)
        return super().test_dataloader()

    def test_dataloader(self) -> DataLoader:
        """Return the test split for anomalib's `test`.

        Raises:
            ZooError: The split is not on disk, or its truth is withheld.
        """
        loader = self.predict_dataloader()
        if not all(sample.has_truth for sample in self.test_data.listed):
            raise ZooError(
                f"'{self.test_split}' of '{self.category}' has no ground truth here: use "
                "`zoo predict`, or another --data.test_split"
            )
        return loader

    # The layout names its splits; nothing is split at random.
    def _create_test_split(self) -> None: ...

    def _create_val_split(self) -> None: ...


def _parts(transform: Transform | None) -> list[Transform]:
    if isinstance(transform, Compose):
        return [part for inner in transform.transforms for part in _parts(inner)]
    return [] if transform is None else [transform]
