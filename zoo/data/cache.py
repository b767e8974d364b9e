"""One cache on disk of decoded and resized uint8 images, shared by all methods and processes.

An entry is keyed by path, file stamp and resize, and holds key, shape and a checksum of itself.
When the budget is exceeded the oldest entries go.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import struct
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from zoo.utils.atomic import atomic_path
from zoo.utils.paths import CACHE_VARIABLE, file_stamp

DEFAULT_BUDGET_MB = 4096

_MAGIC = b"zoo1"  # uint8 pixels, in this layout
_HEAD = struct.Struct("<4sI32s3I12x")  # magic, checksum, key, height, width, channels
_CHECKED = struct.calcsize("<4sI")  # where that begins which the checksum covers
_WORDS = 512  # of 8 bytes: a block of the checksum


def cache_folder() -> Path | None:
    """Return the folder of the cache: `$ANOMALIB_ZOO_CACHE`, or the platform's cache folder.

    None where that variable is empty, or the user has no home.
    """
    configured = os.environ.get(CACHE_VARIABLE)
    if configured is not None:
        return Path(configured) if configured else None
    try:
        folder = user_cache_path("anomalib-zoo") / "images"
    except (RuntimeError, KeyError, OSError):
        return None
    return folder if folder.is_absolute() else None  # else its `~` stands for nobody's home


@cache
def warn_once(line: str) -> None:
    """Print a line to standard error, unless it was printed before."""
    print(line, file=sys.stderr, flush=True)


class ImageCache:
    """A bounded store of uint8 arrays on disk.

    Args:
        budget_mb: Limit in MB (10**6 bytes); 0 switches the cache off, and needs no folder.
        folder: Where entries lie; `cache_folder()` by default. Where nothing can be written every
            image is read anew, and one line reports it.
    """

    def __init__(self, budget_mb: int = DEFAULT_BUDGET_MB, folder: Path | None = None) -> None:
        self.budget_bytes = int(budget_mb * 1e6)
        self.folder = folder or (cache_folder() if budget_mb > 0 else None)
        if self.folder is None and budget_mb > 0:
            self._do_without("there is no folder for it")
        self._used_bytes: int | None = None  # counted on the first write, then kept up to date

    def get(self, path: Path, recipe: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the entry of an image, making and storing it when it is not there.

        Args:
            path: The image file.
            recipe: What is done to it, as text (it becomes part of the key).
            make: Produces the array, (H, W, 3) uint8.
        """
        if self.budget_bytes <= 0 or self.folder is None:
            return make()
        text = f"{path.resolve()}|{file_stamp(path)}|{recipe}"
        key = hashlib.sha256(os.fsencode(text)).digest()
        entry = self.folder / key.hex()[:2] / key.hex()[:32]
        if (cached := _read(entry, key)) is not None:
            return cached
        array = make()
        try:
            self._store(entry, key, array)
        except OSError as error:  # costs speed, not the run
            self._do_without(f"{self.folder}: {(error.strerror or str(error)).lower()}")
        return array

    def _do_without(self, reason: str) -> None:
        self.budget_bytes = 0
        warn_once(
            f"no image cache ({reason}): every image is read and resized anew; {CACHE_VARIABLE} "
            "names another folder"
        )

    def _store(self, entry: Path, key: bytes, array: np.ndarray) -> None:
        size = array.nbytes + _HEAD.size
        if size > self.budget_bytes:
            return
        if self._used_bytes is None:
            self._used_bytes = sum(size for _, size, _ in self._entries())
        if self._used_bytes + size > self.budget_bytes:
            self._make_room(size)
        entry.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(entry) as aside:
            _packed(key, array).tofile(aside)
        self._used_bytes += size

    def _make_room(self, n_bytes: int) -> None:
        # Counted anew: other processes write here too. Down to 90 % so that it happens rarely.
        entries = sorted(self._entries())
        used = sum(size for _, size, _ in entries)
        target = 0.9 * self.budget_bytes - n_bytes
        for _, size, path in entries:
            if used <= target:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            used -= size
        self._used_bytes = used

    def _entries(self) -> list[tuple[float, int, Path]]:
        assert self.folder is not None
        entries = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):  # another process may have removed it meanwhile
                stat = path.stat()
                entries.append((stat.st_mtime, stat.st_size, path))
        return entries


def _packed(key: bytes, array: np.ndarray) -> np.ndarray:
    """Return an entry: the head, then the pixels row by row."""
    head = np.frombuffer(_HEAD.pack(_MAGIC, 0, key, *array.shape), np.uint8)
    data = np.concatenate([head, np.ravel(array)], dtype=np.uint8, casting="no")
    data[len(_MAGIC) : _CHECKED] = np.frombuffer(struct.pack("<I", _checksum(data)), np.uint8)
    return data


def _read(entry: Path, key: bytes) -> np.ndarray | None:
    """Return the pixels of an entry, or None where it is missing or is not what it should be."""
    try:
        data = np.fromfile(entry, np.uint8)
    except OSError:
        return None
    if len(data) < _HEAD.size:
        return None
    magic, checksum, own_key, *shape = _HEAD.unpack(data[: _HEAD.size].tobytes())
    if (magic, own_key, checksum) != (_MAGIC, key, _checksum(data)):
        return None
    pixels = data[_HEAD.size :]
    return pixels.reshape(shape) if pixels.size == math.prod(shape) else None


def _checksum(data: np.ndarray) -> int:
    """Return a CRC of the sums of blocks: one of every byte would take three times as long."""
    data = data[_CHECKED:]
    end = data.size // (8 * _WORDS) * 8 * _WORDS
    sums = data[:end].view(np.uint64).reshape(-1, _WORDS).sum(axis=1)
    return zlib.crc32(data[end:].tobytes(), zlib.crc32(sums.tobytes()))
