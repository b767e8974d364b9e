"""The datamodule for your own images: a folder of normal ones, nothing renamed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.datamodule import NativeDataModule
from zoo.data.images import image_size
from zoo.data.known_images import check_no_test_folder
from zoo.data.listing import (
    by_reason,
    copies,
    few,
    files_below,
    find_images,
    match_masks,
    notices,
    object_name,
    without_copies,
)
from zoo.data.masks import looks_inverted
from zoo.data.sample import Sample
from zoo.data.splits import TEST, TRAIN, VALIDATION
from zoo.utils.errors import ZooError, nearest

DEFAULT_MAX_GOOD = 500
_VALIDATION_SHARE = 0.25
_TEST_SHARE = 0.15  # of the normal images, only where there are anomalous ones
_FEW = 20


class ImageFolders(NativeDataModule):
    """Normal images are split at random, by the seed: to learn from, to calibrate, to test.

    The test split holds all anomalous images and 15 % of the normal ones, which are not learnt
    from: those for the threshold cannot stand in, as a threshold has few false alarms on its own
    images. Without anomalous images there is no test split. An image belongs to one split only, and
    copies of it to none. Images taken within one second look alike and may end up in two splits,
    which flatters the figures.

    Only masks are decoded here: what would fail after hours of fitting fails before.

    Args:
        good: Folder of normal images, sub-folders included.
        bad: Folder of anomalous images, if there are any; it may lie inside the other one.
        masks: Folder with masks of the anomalous images; every value but 0 marks a defect.
        max_good: At most so many normal images are used, drawn by the seed.
        seed: Decides which image belongs to which split.
        **options: Others of `NativeDataModule`.

    Raises:
        ZooError: A folder is missing or empty, a file is damaged, an image is normal and anomalous,
            normal images are those of a test split, or there are too few of them.
    """

    def __init__(
        self,
        good: str | Path,
        bad: str | Path | None = None,
        masks: str | Path | None = None,
        max_good: int = DEFAULT_MAX_GOOD,
        seed: int | None = 0,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, **options)
        self.good = Path(good).expanduser()
        self.bad = Path(bad).expanduser() if bad is not None else None
        self.masks = Path(masks).expanduser() if masks is not None else None
        self.max_good = max_good
        self._check_folders()
        normal, anomalous = self._list_normal(), self._list_anomalous()
        normal = self._without_copies(normal, anomalous)
        self._splits = self._split(normal)
        if self.bad is not None:
            self._splits[TEST] += self._anomalous_samples(anomalous, self.bad)
        self._check_files()
        self._notices.append(self._counts(len(normal), len(anomalous)))
        if len(normal) < _FEW:
            self._notices.append(
                f"few normal images: a threshold that rests on {len(self.listed(VALIDATION))} may "
                "be far off; take 30 or more"
            )

    @property
    def object_name(self) -> str:
        """The name of the folder of normal images."""
        return object_name(self.good)

    def listed(self, split: str) -> list[Sample]:
        """Return the images of train, validation or test."""
        if split not in self._splits:
            raise ZooError(f"your images have no split '{split}'{nearest(split, self._splits)}")
        return self._splits[split]

    def test_splits(self) -> list[str]:
        """Return `test` where there are anomalous images."""
        return [split for split in self._splits if split == TEST]

    def source(self, split: str) -> str:
        """Return where the images of a split come from."""
        return f"your normal images, drawn by seed {self.seed}" if split == VALIDATION else split

    def _check_folders(self) -> None:
        if self.masks is not None and self.bad is None:
            raise ZooError(f"masks in {self.masks} but no anomalous images: give their folder")
        others = [folder.resolve() for folder in (self.bad, self.masks) if folder is not None]
        if self.good.resolve() in others:
            raise ZooError(f"{self.good} is given twice: normal images need a folder of their own")
        if self.max_good < 2:
            raise ZooError(f"max_good is {self.max_good}: learning and calibrating need 2 at least")

    def _list_normal(self) -> list[Path]:
        others = [folder for folder in (self.bad, self.masks) if folder is not None]
        listing = find_images(self.good, without=others)
        check_no_test_folder(listing.images)
        self._notices += listing.notices()
        if len(listing.images) <= self.max_good:
            return listing.images
        self._notices.append(
            f"{self.max_good} of {len(listing.images)} normal images are used, drawn by seed "
            f"{self.seed}; --max-good N takes more"
        )
        random = np.random.default_rng(self.seed or 0)
        drawn = random.choice(len(listing.images), self.max_good, replace=False)
        return [listing.images[index] for index in sorted(drawn)]

    def _list_anomalous(self) -> list[Path]:
        if self.bad is None:
            return []
        others = [folder for folder in (self.good, self.masks) if folder is not None]
        listing = find_images(self.bad, without=others)
        if self.masks is not None and self.masks.resolve() == self.bad.resolve():
            self._notices += notices(by_reason(listing.unread))  # the masks are used
        else:
            self._notices += listing.notices()
        if listing.masks and self.masks is None:
            self._notices.append(f"--masks {self.bad} measures with the masks beside the images")
        return listing.images

    def _without_copies(self, normal: Sequence[Path], anomalous: Sequence[Path]) -> list[Path]:
        """Drop normal images that are there twice: one would be learnt, the other held out."""
        twins, own = copies([*normal, *anomalous]), set(normal)
        both = next((path for path in anomalous if twins.get(path) in own), None)
        if both is not None:
            raise ZooError(f"{both} is the same image as {twins[both]}: normal or anomalous?")
        kept, lines = without_copies(normal)
        self._notices += lines
        return kept

    def _split(self, normal: Sequence[Path]) -> dict[str, list[Sample]]:
        least = 2 if self.bad is None else 3
        if len(normal) < least:
            use = "to learn from, to calibrate" + (" and to test" if least == 3 else "")
            raise ZooError(
                f"{len(normal)} normal image{'s' * (len(normal) > 1)} in {self.good}: at least "
                f"{least} are needed, {use}; 30 or more make a threshold that holds"
            )
        order = np.random.default_rng(self.seed or 0).permutation(len(normal))
        n_validation = max(1, round(_VALIDATION_SHARE * len(normal)))
        n_test = max(1, round(_TEST_SHARE * len(normal))) if self.bad is not None else 0
        parts = {
            VALIDATION: order[:n_validation],
            TEST: order[n_validation : n_validation + n_test],
            TRAIN: order[n_validation + n_test :],
        }
        samples = {
            split: [Sample(normal[index], None, 0) for index in sorted(indices)]
            for split, indices in parts.items()
        }
        if self.bad is None:
            del samples[TEST]
        return samples

    def _anomalous_samples(self, images: Sequence[Path], folder: Path) -> list[Sample]:
        masks: dict[Path, Path] = {}
        if self.masks is not None:
            others = [self.good, folder]
            masks = match_masks(images, folder, self.masks, without=others)
            if self.masks.resolve() != folder.resolve():
                self._notices += notices(by_reason(files_below(self.masks, without=others).odd))
        missing = [path for path in images if path not in masks]
        if masks and missing:
            self._notices.append(
                f"no mask for {few(missing)} of {len(images)} anomalous images: figures per pixel "
                "need all masks and are left out"
            )
        return [Sample(path, masks.get(path), 1, any_value=True) for path in images]

    def _check_files(self) -> None:
        """Read every header and every mask: a fit may take hours."""
        blank: list[Path] = []
        inverted: list[Path] = []
        for sample in (sample for samples in self._splits.values() for sample in samples):
            native_size = image_size(sample.image_path)
            if sample.mask_path is None:
                continue
            truth = sample.truth(native_size)
            assert truth is not None  # there is a mask
            if not truth.any():
                blank.append(sample.mask_path)
            elif looks_inverted(truth):
                inverted.append(sample.mask_path)
        if blank:
            self._notices.append(f"nothing is marked in {few(blank)}: is the defect drawn as 0?")
        if inverted:
            self._notices.append(
                f"more than half of the image is marked in {few(inverted)}: black is "
                "normal, so is it inverted?"
            )

    def _counts(self, n_normal: int, n_anomalous: int) -> str:
        train, validation = len(self.listed(TRAIN)), len(self.listed(VALIDATION))
        text = f"{n_normal} normal images: {train} to learn from, {validation} for the threshold"
        if self.bad is None:
            return text
        held_out = n_normal - train - validation
        return (
            f"{text}, {held_out} to test beside {n_anomalous} anomalous ones (without --bad "
            f"these {held_out} would be learnt from)"
        )
