"""The lightning datamodule for your own pictures: a folder of good ones, nothing renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torchvision.transforms.v2 import Transform

from zoo.data.cache import DEFAULT_BUDGET_MB
from zoo.data.images import image_size
from zoo.data.known_images import check_no_test_folder
from zoo.data.listing import by_reason, few, notices
from zoo.data.masks import looks_inverted
from zoo.data.native import TRAIN, VALIDATION, NativeDataModule
from zoo.data.pictures import copies, match_masks, object_name, pictures, without_copies
from zoo.data.sample import Sample
from zoo.utils.errors import ZooError, nearest

TEST = "test"
_VALIDATION_SHARE = 0.25
_TEST_SHARE = 0.15  # of the good pictures, only where there are bad ones to tell them from
_FEW = 20
DEFAULT_MAX_GOOD = 500


class ImageFolders(NativeDataModule):
    """Good pictures are split at random, by the seed: to learn from, to calibrate, to test.

    The test split holds all bad pictures and a share of the good ones, which are not learnt from:
    15 %, so that 24 good pictures leave 14 to learn from, and 18 where there are no bad ones. Those
    for the threshold cannot stand in for them: a threshold has few false alarms on its own
    pictures. Without bad pictures there is no test split. A picture belongs to one split only, and
    copies of it to none. Pictures taken within one second look alike and may end up in two splits,
    which flatters the figures.

    Nothing is decoded here but the masks: what would fail after hours of fitting fails before.

    Args:
        good: Folder of normal pictures, sub-folders included.
        bad: Folder of defective pictures, if there are any; it may lie inside the other one.
        masks: Folder with masks of the bad pictures; every value but 0 marks a defect.
        max_good: At most so many good pictures are used, drawn by the seed.
        train_batch_size: Images per training batch.
        eval_batch_size: Images per batch in validation, test and prediction.
        num_workers: Processes that read images; 0 reads in the main process.
        train_augmentations: Applied to training images at model size, after the resize.
        cache_mb: Budget of the image cache on disk, in MB; 0 switches it off.
        seed: Decides which picture belongs to which split.
        bit_depth: Of 16-bit pictures; what the good ones hold by default.

    Attributes:
        notices: Lines for people: what is used, what was left out, what to be wary of.

    Raises:
        ZooError: A folder is missing or empty, a file is damaged, a picture is good and bad, good
            pictures are those of a test split, or there are too few of them.
    """

    def __init__(
        self,
        good: str | Path,
        bad: str | Path | None = None,
        masks: str | Path | None = None,
        max_good: int = DEFAULT_MAX_GOOD,
        train_batch_size: int = 8,
        eval_batch_size: int = 8,
        num_workers: int = 0,
        train_augmentations: Transform | None = None,
        cache_mb: int = DEFAULT_BUDGET_MB,
        seed: int | None = 0,
        bit_depth: int | None = None,
    ) -> None:
        super().__init__(
            train_batch_size=train_batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            train_augmentations=train_augmentations,
            cache_mb=cache_mb,
            seed=seed,
            bit_depth=bit_depth,
        )
        self.good = Path(good).expanduser()
        self.bad = Path(bad).expanduser() if bad is not None else None
        self.masks = Path(masks).expanduser() if masks is not None else None
        self.max_good = max_good
        self.notices: list[str] = []
        self._check_folders()
        good_paths, bad_paths = self._listed_good(), self._listed_bad()
        good_paths = self._without_copies(good_paths, bad_paths)
        self._splits = self._split(good_paths)
        if self.bad is not None:
            self._splits[TEST] += self._bad_samples(bad_paths)
        self._check_files()
        self.notices.append(self._counts(len(good_paths), len(bad_paths)))
        if len(good_paths) < _FEW:
            self.notices.append(
                f"few good pictures: a threshold that rests on {len(self.listed(VALIDATION))} may "
                "be far off; take 30 or more"
            )

    @property
    def object_name(self) -> str:
        """The name of the folder of good pictures."""
        return object_name(self.good)

    def listed(self, split: str) -> list[Sample]:
        """Return the pictures of train, validation or test."""
        if split not in self._splits:
            raise ZooError(f"your pictures have no split '{split}'{nearest(split, self._splits)}")
        return self._splits[split]

    def test_splits(self) -> list[str]:
        """Return `test` where there are bad pictures."""
        return [split for split in self._splits if split == TEST]

    def source(self, split: str) -> str:
        """Return where the pictures of a split come from."""
        return f"your good pictures, drawn by seed {self.seed}" if split == VALIDATION else split

    def _check_folders(self) -> None:
        if self.masks is not None and self.bad is None:
            raise ZooError(f"masks in {self.masks} but no bad pictures: give the folder of those")
        others = [folder.resolve() for folder in (self.bad, self.masks) if folder is not None]
        if self.good.resolve() in others:
            raise ZooError(f"{self.good} is given twice: good pictures need a folder of their own")
        if self.max_good < 2:
            raise ZooError(f"max_good is {self.max_good}: learning and calibrating need 2 at least")

    def _listed_good(self) -> list[Path]:
        others = [folder for folder in (self.bad, self.masks) if folder is not None]
        found = pictures(self.good, without=others)
        check_no_test_folder(found.images)
        self.notices += found.notices()
        if len(found.images) <= self.max_good:
            return found.images
        self.notices.append(
            f"{self.max_good} of {len(found.images)} good pictures are used, drawn by seed "
            f"{self.seed}; --max-good N takes more"
        )
        random = np.random.default_rng(self.seed or 0)
        drawn = random.choice(len(found.images), self.max_good, replace=False)
        return [found.images[index] for index in sorted(drawn)]

    def _listed_bad(self) -> list[Path]:
        if self.bad is None:
            return []
        others = [folder for folder in (self.good, self.masks) if folder is not None]
        found = pictures(self.bad, without=others)
        used = self.masks is not None and self.masks.resolve() == self.bad.resolve()
        self.notices += (replace(found, masks=[]) if used else found).notices()
        if found.masks and self.masks is None:
            self.notices.append(f"--masks {self.bad} measures with the masks beside the pictures")
        return found.images

    def _without_copies(self, good: Sequence[Path], bad: Sequence[Path]) -> list[Path]:
        """Drop good pictures that are there twice: one would be learnt, the other held out."""
        twins, own = copies([*good, *bad]), set(good)
        both = next((path for path in bad if twins.get(path) in own), None)
        if both is not None:
            raise ZooError(f"{both} is the same picture as {twins[both]}: it is good or bad")
        kept, said = without_copies(good)
        self.notices += said
        return kept

    def _split(self, good: Sequence[Path]) -> dict[str, list[Sample]]:
        wanted = 2 if self.bad is None else 3
        if len(good) < wanted:
            use = "to learn from, to calibrate" + (" and to test" if wanted == 3 else "")
            raise ZooError(
                f"{len(good)} good picture{'s' * (len(good) > 1)} in {self.good}: at least "
                f"{wanted} are needed, {use}; 30 or more make a threshold that holds"
            )
        order = np.random.default_rng(self.seed or 0).permutation(len(good))
        n_validation = max(1, round(_VALIDATION_SHARE * len(good)))
        n_test = max(1, round(_TEST_SHARE * len(good))) if self.bad is not None else 0
        parts = {
            VALIDATION: order[:n_validation],
            TEST: order[n_validation : n_validation + n_test],
            TRAIN: order[n_validation + n_test :],
        }
        samples = {
            split: [Sample(good[index], None, 0) for index in sorted(indices)]
            for split, indices in parts.items()
        }
        if self.bad is None:
            del samples[TEST]
        return samples

    def _bad_samples(self, bad: Sequence[Path]) -> list[Sample]:
        masks = {}
        if self.masks is not None:
            others = [self.good, self.bad]
            masks = match_masks(bad, self.bad, self.masks, without=others)
            if self.masks.resolve() != self.bad.resolve():
                self.notices += notices(by_reason(pictures(self.masks, without=others).odd))
        missing = [path for path in bad if path not in masks]
        if masks and missing:
            self.notices.append(
                f"no mask for {few(missing)} of {len(bad)} bad pictures: figures per pixel need "
                "all masks and are left out"
            )
        return [Sample(path, masks.get(path), 1, any_value=True) for path in bad]

    def _check_files(self) -> None:
        """Read every header and every mask: a fit may take hours."""
        blank, inverted = [], []
        for sample in (sample for samples in self._splits.values() for sample in samples):
            native_size = image_size(sample.image_path)
            truth = sample.truth(native_size) if sample.mask_path else None
            if truth is not None and not truth.any():
                blank.append(sample.mask_path)
            if truth is not None and looks_inverted(truth):
                inverted.append(sample.mask_path)
        if blank:
            self.notices.append(f"nothing is marked in {few(blank)}: is the defect drawn as 0?")
        if inverted:
            self.notices.append(
                f"more than half of the image is marked in {few(inverted)}: black is good, so is "
                "it inverted?"
            )

    def _counts(self, n_good: int, n_bad: int) -> str:
        train, validation = len(self.listed(TRAIN)), len(self.listed(VALIDATION))
        text = f"{n_good} good pictures: {train} to learn from, {validation} for the threshold"
        if self.bad is None:
            return text
        held_out = n_good - train - validation
        return (
            f"{text}, {held_out} to test beside {n_bad} bad ones (without --bad these {held_out} "
            "would be learnt from)"
        )
