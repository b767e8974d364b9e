"""The lightning datamodule for data in the MVTec AD 2 layout, whatever the objects are called.

Unlike anomalib's `MVTecAD2` it works with pandas 3, keeps files sorted and good test images in the
test set, loads the private splits, carries native sizes and never downloads.
"""

from __future__ import annotations

from pathlib import Path

from torchvision.transforms.v2 import Transform

from zoo.data import layout
from zoo.data.cache import DEFAULT_BUDGET_MB
from zoo.data.known_images import check_no_test_folder
from zoo.data.native import NativeDataModule
from zoo.data.sample import Sample
from zoo.data.splits import FIT_SPLITS, TEST_SPLITS
from zoo.utils.errors import ZooError, nearest


class MVTecAD2Layout(NativeDataModule):
    """One object of a data set in the MVTec AD 2 layout.

    Args:
        root: Folder that holds one folder per object.
        category: Name of the object (anomalib's word for it).
        train_batch_size: Images per training batch.
        eval_batch_size: Images per batch in validation, test and prediction.
        num_workers: Processes that read images; 0 reads in the main process.
        test_split: What `test` and `predict` run on: test_public, test_private or
            test_private_mixed.
        train_augmentations: Applied to training images at model size, after the resize.
        cache_mb: Budget of the image cache on disk, in MB; 0 switches it off.
        seed: Kept for anomalib's interface; nothing is drawn at random here.
        bit_depth: Of 16-bit images; what those of train and validation hold by default.

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
        bit_depth: int | None = None,
    ) -> None:
        if test_split not in TEST_SPLITS:
            near = nearest(test_split, TEST_SPLITS)
            raise ZooError(f"unknown test_split '{test_split}'{near}")
        super().__init__(
            train_batch_size=train_batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_augmentations=train_augmentations,
            cache_mb=cache_mb,
            seed=seed,
            bit_depth=bit_depth,
            test_split=test_split,
        )
        self.root = Path(root)
        self.category = category

    @property
    def object_name(self) -> str:
        """The category."""
        return self.category

    @property
    def notices(self) -> list[str]:
        """Lines for people: what has the name of an image and cannot be opened."""
        return layout.notices(self.root, self.category)

    def listed(self, split: str) -> list[Sample]:
        """Return the images of a split, sorted by path."""
        category = layout.check_object(self.root, self.category or "")
        listed = layout.samples(self.root, category, split)
        if split in FIT_SPLITS:  # whose images may be links
            check_no_test_folder(sample.image_path for sample in listed)
        return listed

    def test_splits(self) -> list[str]:
        """Return the test splits on disk, in protocol order."""
        return layout.splits_on_disk(self.root, self.category)

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when an image of the object changes."""
        return layout.fingerprint(self.root, self.category)

    def _test_split_on_disk(self) -> str | None:
        # Asked for by name: another one must not stand in for it.
        return self.test_split if self.test_split in self.test_splits() else None
