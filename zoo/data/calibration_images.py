"""Which images calibrate: normal validation images that are in no test, or a share of train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.sample import Sample
from zoo.utils.errors import ZooError

SHARE = 0.2  # of the training images, where validation has none to offer

# Why a validation image does not calibrate, worst first, and how its datamodule is described.
_IN_TEST, _IN_TRAIN, _NOT_NORMAL = "also in test", "also in train", "not labelled normal"
_REASONS = {
    _IN_TEST: "puts test images into validation",
    _IN_TRAIN: "puts training images into validation",
    _NOT_NORMAL: "has no normal image in validation",
}


@dataclass(frozen=True)
class CalibrationImages:
    """What calibrates, and why.

    Attributes:
        samples: The images, sorted by path; empty when nothing may calibrate.
        held_out: They come from train and must be taken out of it before the fit.
        source: Where they come from, for records: `40 normal images of {source}`.
        notice: One line for people.
    """

    samples: list[Sample]
    held_out: bool
    source: str
    notice: str


def choose(
    train: Sequence[Sample],
    validation: Sequence[Sample],
    test: Sequence[Sample],
    seed: int,
    owner: str,
    may_hold_out: bool = True,
) -> CalibrationImages:
    """Choose the images that calibrate; a file counts as the same whatever path leads to it.

    Args:
        train: The training images; only those labelled normal are held out.
        validation: The validation images.
        test: All test images.
        seed: Draws the share of train.
        owner: The datamodule's name, for the notice.
        may_hold_out: Whether the fit is still to come, so that train has images to spare.

    Raises:
        ZooError: Neither validation nor train has an image to spare.
    """
    tested, trained = _files(test), _files(train)
    reasons = [_objection(sample, tested, trained) for sample in validation]
    usable = [sample for sample, reason in zip(validation, reasons, strict=True) if not reason]
    counts = Counter(reasons)
    if usable:
        left = ", ".join(f"{counts[reason]} {reason}" for reason in _REASONS if counts[reason])
        images = "image" if len(usable) == 1 else "images"
        notice = f"calibration: {len(usable)} normal {images} of {owner}'s validation"
        notice += f"; left out there: {left}" if left else ""
        return CalibrationImages(_sorted(usable), False, "validation", notice)
    worst = next((text for reason, text in _REASONS.items() if counts[reason]), None)
    reason = f"{owner} {worst or 'has no validation images'}"
    if not may_hold_out:
        notice = f"calibration: not derived anew, because {reason}"
        return CalibrationImages([], False, "validation", notice)
    share = _share(train, tested, seed)
    if not share:
        raise ZooError(
            f"no image to calibrate on: {reason}, and of its {len(train)} training image(s) none "
            "can be spared; add normal images to train"
        )
    count = f"{len(share)} of {len(train)}"
    notice = f"calibration: {count} training images held out by seed {seed}, because {reason}"
    return CalibrationImages(share, True, f"train, {count} held out by seed {seed}", notice)


def without(samples: Sequence[Sample], taken: Sequence[Sample]) -> list[Sample]:
    """Return the samples whose files are not among those taken."""
    files = _files(taken)
    return [sample for sample in samples if _file(sample) not in files]


def _share(train: Sequence[Sample], tested: set[Path], seed: int) -> list[Sample]:
    """Draw a share of the normal training images that are not test images; one stays to fit."""
    # In the order of the paths, so that a seed draws the same images however they were listed.
    spare = _sorted([s for s in train if s.label == 0 and _file(s) not in tested])
    count = min(max(1, round(SHARE * len(train))), len(spare), len(train) - 1)
    if not spare:
        return []
    drawn = np.random.default_rng(seed).choice(len(spare), count, replace=False)
    return [spare[index] for index in sorted(drawn)]


def _objection(sample: Sample, tested: set[Path], trained: set[Path]) -> str:
    if _file(sample) in tested:
        return _IN_TEST
    if _file(sample) in trained:
        return _IN_TRAIN
    return "" if sample.label == 0 else _NOT_NORMAL


def _sorted(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: sample.image_path)


def _files(samples: Sequence[Sample]) -> set[Path]:
    return {_file(sample) for sample in samples}


def _file(sample: Sample) -> Path:
    return sample.image_path.resolve()
