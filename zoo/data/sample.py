"""One image of a split with what is known about it; a list of them is a split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.file_hashes import file_digests
from zoo.data.groups import scene_of
from zoo.data.masks import read_mask


@dataclass(frozen=True)
class Sample:
    """One image of a split.

    Attributes:
        image_path: The image.
        mask_path: Its ground truth, or None: a good image, or truth withheld or never drawn.
        label: 0 good, 1 defective, None when only a mask, if there is one, can tell.
        any_value: Every value of the mask but 0 marks a defect; otherwise only 255 may.
        group: The physical item, where a manifest says it.
    """

    image_path: Path
    mask_path: Path | None = None
    label: int | None = None
    any_value: bool = False
    group: str | None = None

    @property
    def item(self) -> str | None:
        """The physical item, None for one of its own; see `zoo.data.groups`."""
        return self.group or scene_of(self.image_path)

    @property
    def has_truth(self) -> bool:
        """Whether the right mask of this image is known."""
        return self.label == 0 or self.mask_path is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The image, and its ground truth where there is one."""
        return (self.image_path, self.mask_path) if self.mask_path else (self.image_path,)

    def truth(self, native_size: tuple[int, int]) -> np.ndarray | None:
        """Return the right mask, bool (H, W), all False for a good image; None if unknown.

        Args:
            native_size: (H, W) of the image in pixels.

        Raises:
            ZooError: The mask cannot be read, has another size or holds values it must not.
        """
        if self.mask_path is not None:
            return read_mask(self.mask_path, native_size, self.any_value)
        return np.zeros(native_size, bool) if self.label == 0 else None


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return 16 hex digits that change when a file is added, removed, renamed or altered.

    Name and content of every file count; neither the location nor the time stamp does, so that a
    copied data set is the same data set.

    Args:
        files: Pairs of a name (unique, the same wherever the data lies) and the file.

    Raises:
        ZooError: A file cannot be read.
    """
    listed = sorted(files)
    digests = file_digests(path for _, path in listed)
    return _hash([(name, digests[path]) for name, path in listed])


def split_fingerprint(samples: Sequence[Sample], root: Path | None = None) -> str:
    """Return 16 hex digits that change with anything that is known about a split's images.

    Args:
        samples: The split, in the order in which it is read.
        root: Folder below which the places of files count; by default their names alone do.

    Raises:
        ZooError: A file cannot be read.
    """
    digests = file_digests(path for sample in samples for path in sample.files)

    def place(path: Path) -> str:
        return path.relative_to(root).as_posix() if root else path.name

    return _hash(
        [
            [[(place(path), digests[path]) for path in each.files], each.label, each.group]
            for each in samples
        ]
    )


def _hash(data: object) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
