"""The folder layout of MVTec AD 2 (arXiv 2503.21622): objects, splits and files on disk.

Below an object: `train/good`, `validation/good`, `test_public/{good,bad,ground_truth/bad}`, and the
flat `test_private` and `test_private_mixed`. The benchmark withholds the truth of the last two;
where somebody has it, it lies in `private_ground_truth/<split>/<stem>_mask.png`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from zoo.data.listing import by_reason, files_below, files_in, why_no_file
from zoo.data.listing import notices as notices_of
from zoo.data.sample import Sample, manifest_groups, split_fingerprint
from zoo.data.splits import FIT_SPLITS, TEST_SPLITS
from zoo.utils.errors import ZooError, nearest


def object_names(root: Path) -> list[str]:
    """Return the objects below `root`: the folders that hold `train/good`, sorted.

    Raises:
        ZooError: The folder is missing, or holds no object.
    """
    root = Path(root)
    if not root.is_dir():
        raise ZooError(f"no data at {root}: the folder does not exist; set --data.root to one")
    names = sorted(p.parent.parent.name for p in root.glob("*/train/good") if p.is_dir())
    if not names:
        raise ZooError(
            f"no object in {root}: expected <object>/train/good/*.png as in MVTec AD 2; "
            "`zoo tiny DIR` makes an example"
        )
    return names


def check_objects(root: Path, chosen: list[str] | None) -> list[str]:
    """Return the chosen objects, each once; all of None or ["all"]."""
    names = object_names(root)
    if not chosen or chosen == ["all"]:
        return names
    return [check_object(root, name) for name in dict.fromkeys(chosen)]


def check_object(root: Path, name: str) -> str:
    """Return the name of an object that is on disk; a ZooError otherwise."""
    names = object_names(root)
    if name not in names:
        raise ZooError(f"no object '{name}' in {root}{nearest(name, names)}")
    return name


def splits_on_disk(root: Path, object_name: str) -> list[str]:
    """Return the test splits of an object that lie on disk, in protocol order."""
    return [split for split in TEST_SPLITS if (Path(root) / object_name / split).is_dir()]


def check_splits(
    root: Path, object_name: str, chosen: list[str] | tuple[str, ...] | None
) -> list[str]:
    """Return the chosen test splits; all on disk when None; a ZooError if one is missing."""
    splits = splits_on_disk(root, object_name)
    if not splits:
        raise ZooError(f"object '{object_name}' in {root} has no test split: nothing to score")
    for split in chosen or []:
        if split not in splits:
            near = nearest(split, splits)
            raise ZooError(f"object '{object_name}' in {root} has no split '{split}'{near}")
    return [split for split in splits if not chosen or split in chosen]


def samples(root: Path, object_name: str, split: str) -> list[Sample]:
    """List one split, sorted by path; their physical items, if `manifest.csv` names these.

    Raises:
        ZooError: Unknown split, a missing or empty folder, a defective image without its mask, a
            mask without its image, or a manifest that cannot be used.
    """
    root = Path(root)
    listed, folder = _listed(root, object_name, split), root / object_name / split
    files = [sample.image_path.relative_to(folder).as_posix() for sample in listed]
    groups = manifest_groups(root, object_name, split, files, (*FIT_SPLITS, *TEST_SPLITS))
    pairs = zip(listed, files, strict=True)
    return [replace(sample, group=groups.get(file)) for sample, file in pairs]


def _listed(root: Path, object_name: str, split: str) -> list[Sample]:
    folder = root / object_name / split
    if split in FIT_SPLITS:
        return [Sample(path, None, 0) for path in _images(folder / "good", object_name, split)]
    if split == "test_public":
        return _public(folder, object_name)
    if split in TEST_SPLITS:
        truth = folder.parent / "private_ground_truth" / split
        listed = [
            Sample(path, _mask_of(path, truth, required=truth.is_dir()))
            for path in _images(folder, object_name, split)
        ]
        _check_masks(truth, listed, folder)
        return listed
    raise ZooError(f"unknown split '{split}'{nearest(split, [*FIT_SPLITS, *TEST_SPLITS])}")


def fingerprint(root: Path, object_name: str) -> str:
    """Return 16 hex digits that change when an image, a mask or a group of the object changes.

    Files that no split lists do not count.
    """
    root = Path(root)
    prints = {}
    for split in (*FIT_SPLITS, *splits_on_disk(root, object_name)):
        try:
            listed = samples(root, object_name, split)
            prints[split] = split_fingerprint(listed, root / object_name)
        except ZooError:  # raised again by whoever reads this split
            prints[split] = ""
    return hashlib.sha256(repr(prints).encode()).hexdigest()[:16]


def notices(root: Path, object_name: str) -> list[str]:
    """Return one line for each kind of what has the name of an image and cannot be opened."""
    return notices_of(by_reason(files_below(Path(root) / object_name).odd))


def _public(folder: Path, object_name: str) -> list[Sample]:
    good, bad = folder / "good", folder / "bad"
    truth = folder / "ground_truth" / "bad"
    listed = [Sample(path, None, 0) for path in files_in(good).files]
    listed += [
        Sample(path, _mask_of(path, truth, required=True), 1) for path in files_in(bad).files
    ]
    if not listed:
        raise ZooError(f"no image of '{object_name}' in {good} or {bad}: test_public is empty")
    _check_masks(truth, listed, bad)
    return sorted(listed, key=lambda sample: sample.image_path)


def _images(folder: Path, object_name: str, split: str) -> list[Path]:
    if images := files_in(folder).files:
        return images
    state = "is empty" if folder.is_dir() else "does not exist"
    use = {
        "train": "the method learns from it",
        "validation": "thresholds are derived from its normal images",
    }.get(split, "there is nothing to score")
    raise ZooError(f"object '{object_name}' has no {split} images: {folder} {state}; {use}")


def _check_masks(truth: Path, listed: list[Sample], images: Path) -> None:
    """Raise for a mask whose image is gone: its defect would silently count for nothing."""
    if not images.is_dir():  # whoever takes away a whole folder means it
        return
    masks = {path for path in files_in(truth).files if path.name.endswith("_mask.png")}
    lost = sorted(masks - {sample.mask_path for sample in listed})
    if lost:
        raise ZooError(
            f"{len(lost)} of the masks have no image in {images}, such as {lost[0]}: copy the "
            "images again, or remove the masks"
        )


def _mask_of(image: Path, folder: Path, required: bool) -> Path | None:
    mask = folder / f"{image.stem}_mask.png"
    if mask.is_file():
        return mask
    if required:
        there = os.path.lexists(mask)
        what = f"{mask} is {why_no_file(mask)}" if there else f"expected {mask}"
        raise ZooError(f"no mask for {image}: {what}; add it or remove the image")
    return None
