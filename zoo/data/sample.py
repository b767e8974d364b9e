"""One image of a split with what is known about it; a list of them is a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.groups import scene_of
from zoo.data.images import read_mask

# Of every file, from its beginning, middle and end: enough to tell two images apart.
_BLOCK_BYTES = 4096


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

    Name, size and three blocks of 4 KiB of every file count; neither the location nor the time
    stamp does, so that a copied data set is the same data set.

    Args:
        files: Pairs of a name (unique, the same wherever the data lies) and the file.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{name}:{size}:".encode())
        with path.open("rb") as file:
            for start in (0, size // 2, size - _BLOCK_BYTES):
                file.seek(max(0, start))
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()[:16]
