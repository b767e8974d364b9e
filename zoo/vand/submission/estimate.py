"""What a submission will take, said before the first image: bytes on disk and time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.utils.errors import ZooError
from zoo.utils.progress import duration
from zoo.vand.submission.runs import ObjectRun
from zoo.vand.submission.sources import seconds_per_image
from zoo.vand.submission.tree import Expected

# Per megapixel on one core, and what is left of a map by gzip: results/submission_cost.csv, with
# room for the disk. A mask is small beside its map.
WRITE_SECONDS = 0.02
PACK_SECONDS = 0.03
_MAP_BYTES, _MASK_BYTES = 2, 0.02
_PACKED = 0.35


@dataclass(frozen=True)
class Estimate:
    """What a submission will take.

    Attributes:
        n_images: Images that it judges.
        folder_bytes: Of the folder of maps and masks.
        archive_bytes: Of the archive; 0 if none is packed.
        seconds: On the machine that made the runs.
    """

    n_images: int
    folder_bytes: int
    archive_bytes: int
    seconds: float

    @property
    def needed_bytes(self) -> int:
        """Most that lies on the disk at one time."""
        return self.folder_bytes + self.archive_bytes

    def describe(self) -> str:
        """Say it in one line."""
        packed = f", about {size(self.archive_bytes)} packed" if self.archive_bytes else ""
        return (
            f"{self.n_images} images, {size(self.folder_bytes)} of maps and masks{packed}, about "
            f"{duration(self.seconds)}"
        )


def estimate(runs: Sequence[ObjectRun], expected: Expected, packs: bool) -> Estimate:
    """Return what maps, masks and, if it `packs`, the archive will take."""
    scoring = sum(seconds_per_image(run) * len(expected.of(run.object_name)) for run in runs)
    megapixels = expected.n_pixels / 1e6
    folder = int(expected.n_pixels * (_MAP_BYTES + _MASK_BYTES))
    return Estimate(
        len(expected.images),
        folder,
        int(folder * _PACKED) if packs else 0,
        scoring + megapixels * (WRITE_SECONDS + PACK_SECONDS * packs),
    )


def check_space(folder: Path, needed_bytes: int) -> int:
    """Return the bytes that are free where `folder` will be.

    Raises:
        ZooError: They are too few.
    """
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise ZooError(
            f"{size(free)} are free at {existing}, the submission needs {size(needed_bytes)}: "
            "free some, or give --out on another disk"
        )
    return free


def size(n_bytes: float) -> str:
    """Return bytes as people say them.

    Example:
        >>> size(32_740_000_000), size(1_500_000)
        ('32.7 GB', '1.5 MB')
    """
    unit, name = (1e9, "GB") if n_bytes >= 1e9 else (1e6, "MB")
    return f"{n_bytes / unit:.1f} {name}"
