"""Anomalib's own datamodules, taken over: their images and labels, our reading and calibration."""

from __future__ import annotations

from anomalib.data import AnomalibDataModule

from zoo.data.calibration_images import choose, without
from zoo.data.listing import by_reason, notices, why_no_file
from zoo.data.native import TRAIN, VALIDATION, NativeDataModule
from zoo.data.sample import Sample
from zoo.data.stock_setup import set_up
from zoo.utils.errors import ZooError, nearest

TEST = "test"


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

    `train` are its normal training images, `test` all its test images, good and bad, and
    `validation` are the calibration images, see `zoo.data.calibration_images`.

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
        owner, found = type(stock).__name__, set_up(stock, seed)
        odd = {s.image_path: why_no_file(s.image_path) for split in found.values() for s in split}
        odd = {path: reason for path, reason in odd.items() if reason}
        found = {
            name: [s for s in split if s.image_path not in odd] for name, split in found.items()
        }
        normal = [sample for sample in found[TRAIN] if sample.label == 0]
        if not normal:
            raise ZooError(f"{owner} has no normal training image: there is nothing to learn from")
        chosen = choose(normal, found[VALIDATION], found[TEST], seed, owner)
        self._source = chosen.source
        self._splits = {
            TRAIN: without(normal, chosen.samples),
            VALIDATION: chosen.samples,
            TEST: found[TEST],
        }
        self.notices = [*notices(by_reason(odd)), chosen.notice]
        if len(normal) < len(found[TRAIN]):
            left = len(found[TRAIN]) - len(normal)
            self.notices.append(f"train: {left} image(s) not labelled normal left out")
        if stock.val_augmentations or stock.test_augmentations:
            self.notices.append(
                f"augmentations of {owner} for validation and test are not applied: images are "
                "judged as they are"
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
