"""Anomalib's own datamodules, taken over: their images and labels, our reading and calibration."""

from __future__ import annotations

from pathlib import Path

from anomalib.data import AnomalibDataModule

from zoo.data import anomalib_internals
from zoo.data.calibration_images import choose, without
from zoo.data.datamodule import NativeDataModule
from zoo.data.listing import by_reason, notices, why_no_file
from zoo.data.sample import Sample
from zoo.data.splits import TEST, TRAIN, VALIDATION
from zoo.utils.errors import ZooError, nearest, one_line
from zoo.utils.seeding import isolated_rng


def adopt(datamodule: AnomalibDataModule, seed: int = 0) -> NativeDataModule:
    """Return a datamodule with named splits and native sizes for any of anomalib's.

    Args:
        datamodule: Ours are returned as they are.
        seed: Draws the splits that the datamodule does not seed itself, and the calibration images
            where they must be taken from train.

    Raises:
        ZooError: There is no data, or none to learn from or to calibrate on.
    """
    if isinstance(datamodule, NativeDataModule):
        return datamodule
    return AdoptedData(datamodule, seed)


class AdoptedData(NativeDataModule):
    """The images of a stock datamodule.

    `train` are its normal training images, `test` all its test images, and `validation` are the
    calibration images, see `zoo.data.calibration_images`.

    Args:
        stock: The datamodule. It is kept: synthetic images on disk live as long as it does.
        seed: Draws the calibration images where they must be taken from train.
    """

    def __init__(self, stock: AnomalibDataModule, seed: int) -> None:
        super().__init__(
            train_batch_size=stock.train_batch_size,
            eval_batch_size=stock.eval_batch_size,
            num_workers=stock.num_workers,
            train_augmentations=stock.train_augmentations,
            seed=seed,
        )
        self.stock = stock
        owner, listed = type(stock).__name__, _set_up(stock, seed)
        odd = {
            sample.image_path: reason
            for split in listed.values()
            for sample in split
            if (reason := why_no_file(sample.image_path))
        }
        train, validation, test = (
            [sample for sample in listed[split] if sample.image_path not in odd]
            for split in (TRAIN, VALIDATION, TEST)
        )
        normal = [sample for sample in train if sample.label == 0]
        if not normal:
            raise ZooError(f"{owner} has no normal training image: there is nothing to learn from")
        chosen = choose(normal, validation, test, seed, owner)
        self._source = chosen.source
        self._splits = {
            TRAIN: without(normal, chosen.samples),
            VALIDATION: chosen.samples,
            TEST: test,
        }
        self._notices = [*notices(by_reason(odd)), chosen.notice]
        if left := len(train) - len(normal):
            self._notices.append(f"train: {left} image(s) not labelled normal left out")
        if stock.val_augmentations or stock.test_augmentations:
            self._notices.append(
                f"augmentations of {owner} for validation and test are not applied: images are "
                "scored as they are"
            )

    @property
    def object_name(self) -> str:
        """The category, or the name of data without categories."""
        return self.stock.category or self.stock.name

    def listed(self, split: str) -> list[Sample]:
        """Return the images of train, validation or test."""
        if not self._splits.get(split):
            near = nearest(split, [name for name, samples in self._splits.items() if samples])
            raise ZooError(f"{type(self.stock).__name__} has no split '{split}'{near}")
        return self._splits[split]

    def test_splits(self) -> list[str]:
        """Return `test` where there are test images."""
        return [TEST] if self._splits[TEST] else []

    def source(self, split: str) -> str:
        """Return where the calibration images come from."""
        return self._source if split == VALIDATION else split


def _set_up(datamodule: AnomalibDataModule, seed: int) -> dict[str, list[Sample]]:
    """Let a datamodule find and split its images without a download, and return them."""
    name = type(datamodule).__name__
    no_images = ZooError(
        f"the items of {name} are no plain image files: runs of the zoo need images; "
        "anomalib's own engine takes video and depth data"
    )
    if isinstance(datamodule, anomalib_internals.AnomalibVideoDataModule):
        raise no_images
    root = getattr(datamodule, "root", None)
    if root is not None and not Path(root).is_dir():
        raise ZooError(
            f"no data of {name} at {root}: the folder does not exist and nothing is downloaded; "
            "put the data there or set --data.root"
        )
    try:
        with (
            isolated_rng(seed),  # the fit draws as if nothing was split
            anomalib_internals.tables_of_objects(),
            anomalib_internals.hidden_files_ignored(),
        ):
            category = datamodule.category
            if root and category and (Path(root) / category).is_dir():
                datamodule.prepare_data()  # arranges files; without the folder it would download
            datamodule.setup()
            if not anomalib_internals.lists_images(datamodule):
                raise no_images
            return anomalib_internals.list_splits(datamodule)
    except ZooError:
        raise
    except Exception as error:  # whatever a datamodule reads its data with
        raise ZooError(
            f"{name} cannot list its images ({one_line(error)}): compare the folders below "
            f"{root or 'its paths'} with anomalib's documentation of {name}"
        ) from error
