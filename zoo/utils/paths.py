"""Paths with `$VARIABLE` and `~`, bounded reading, and what identifies a file's content."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from zoo.utils.errors import ZooError

CACHE_VARIABLE = "ANOMALIB_ZOO_CACHE"  # the folder of the image cache; empty: no cache


def expand_path(text: str | Path) -> Path:
    """Return the path that a text of a recipe means; unknown variables stay as they are."""
    return expand_home(os.path.expandvars(text))


def expand_home(text: str | os.PathLike[str]) -> Path:
    """Return a path in which a leading `~` alone is the home; `~7.png` is a file of that name."""
    path = Path(text)
    return path.expanduser() if path.parts[:1] == ("~",) else path


def read_bounded(path: str | Path, n_bytes: int, repair: str = "name another file") -> bytes:
    """Return the content of a file of at most `n_bytes`; `repair` ends the error.

    Raises:
        ZooError: It is missing, no plain file, or larger.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ZooError(f"{path} is no file: {repair}")
            content = file.read(n_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise ZooError(f"{path} cannot be read ({reason.lower()}): {repair}") from None
    if len(content) > n_bytes:
        raise ZooError(f"{path} is larger than {n_bytes >> 20} MB: {repair}")
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; one would wait for a named pipe without a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


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
