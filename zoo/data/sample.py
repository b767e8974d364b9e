"""One image of a split with what is known about it; a list of them is a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.file_hashes import file_digests, json_digest
from zoo.data.groups import scene_of
from zoo.data.masks import read_mask


@dataclass(frozen=True)
class Sample:
    """One image of a split.

    Attributes:
        image_path: The image.
        mask_path: Its ground truth, or None: a normal image, or truth withheld or never drawn.
        label: 0 normal, 1 anomalous, None when only a mask, if there is one, can tell.
        any_value: Every value of the mask but 0 marks a defect; otherwise only 255 may.
        group: The physical item, where a manifest names it.
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
        """Return the right mask, bool (H, W), all False for a normal image; None if unknown.

        Raises:
            ZooError: The mask cannot be read, has another size or holds values it must not.
        """
        if self.mask_path is not None:
            return read_mask(self.mask_path, native_size, self.any_value)
        return np.zeros(native_size, bool) if self.label == 0 else None


def split_fingerprint(samples: Sequence[Sample], root: Path | None = None) -> str:
    """Return 16 hex digits that change with anything that is known about a split's images.

    The order counts, and the places of files below `root`; without one their names alone do.

    Raises:
        ZooError: A file cannot be read.
    """
    digests = file_digests(path for sample in samples for path in sample.files)

    def place(path: Path) -> str:
        return path.relative_to(root).as_posix() if root else path.name

    return json_digest(
        [
            [[(place(path), digests[path]) for path in sample.files], sample.label, sample.group]
            for sample in samples
        ]
    )
