"""Paths as recipes write them, with `$VARIABLE` and `~`, and what identifies a file's content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

CACHE_VARIABLE = "ANOMALIB_ZOO_CACHE"  # the folder of the image cache; empty: no cache


def expand_path(text: str | Path) -> Path:
    """Return the path that a text of a recipe means; unknown variables stay as they are."""
    return expand_home(os.path.expandvars(text))


def expand_home(text: str | os.PathLike[str]) -> Path:
    """Return a path in which a leading `~` alone is the home; `~7.png` is a file of that name."""
    path = Path(text)
    return path.expanduser() if path.parts[:1] == ("~",) else path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def file_stamp(path: Path) -> list[int]:
    """Return size, times of modification and change, inode and device: they change with a file.

    The time of change reveals a file that was overwritten and given its old time back.
    """
    stat = Path(path).stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
