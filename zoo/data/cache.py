"""One cache on disk of decoded and resized uint8 images, shared by all methods and processes.

Decoding dominates: a 5-megapixel PNG costs 255 ms to read and resize, the cached 256-pixel array
under a millisecond. An entry is keyed by path, modification time, file size and resize, so that an
altered image or another input size is another entry. Entries are written aside and renamed: two
processes may fill the same cache. When the budget is exceeded the oldest entries go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

CACHE_VARIABLE = "ANOMALIB_ZOO_CACHE"
DEFAULT_BUDGET_MB = 4096

_HEADER_BYTES = 128  # of an .npy file


def cache_folder() -> Path:
    """Return the folder of the cache: `$ANOMALIB_ZOO_CACHE`, or the platform's cache folder."""
    configured = os.environ.get(CACHE_VARIABLE)
    return Path(configured) if configured else user_cache_path("anomalib-zoo") / "images"


class ImageCache:
    """A bounded store of uint8 arrays on disk.

    Args:
        budget_mb: Limit in MB (10**6 bytes); 0 switches the cache off.
        folder: Where entries lie; `cache_folder()` by default.
    """

    def __init__(self, budget_mb: int = DEFAULT_BUDGET_MB, folder: Path | None = None) -> None:
        self.budget_bytes = int(budget_mb * 1e6)
        self.folder = Path(folder) if folder else cache_folder()
        self._used_bytes: int | None = None  # counted on the first write, then kept up to date

    def get(self, path: Path, recipe: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the entry of an image, making and storing it when it is not there.

        Args:
            path: The image file.
            recipe: What is done to it, as text (it becomes part of the key).
            make: Produces the array, shape (H, W, 3) uint8.

        Returns:
            uint8 array of shape (H, W, 3).
        """
        if self.budget_bytes <= 0:
            return make()
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_mtime_ns}|{stat.st_size}|{recipe}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        entry = self.folder / digest[:2] / f"{digest}.npy"
        # A missing or a torn entry (full disk, old numpy) is simply made again.
        with contextlib.suppress(OSError, ValueError, EOFError):
            return np.load(entry, allow_pickle=False)
        array = make()
        with contextlib.suppress(OSError):  # a full disk costs speed, not the run
            self._store(entry, array)
        return array

    def _store(self, entry: Path, array: np.ndarray) -> None:
        size = array.nbytes + _HEADER_BYTES
        if size > self.budget_bytes:
            return
        if self._used_bytes is None:
            self._used_bytes = sum(size for _, size, _ in self._entries())
        if self._used_bytes + size > self.budget_bytes:
            self._make_room(size)
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=entry.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, array, allow_pickle=False)
            Path(aside).replace(entry)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(aside).unlink()
            raise
        self._used_bytes += size

    def _make_room(self, wanted_bytes: int) -> None:
        # Counted anew: other processes write here too. Down to 90 % so that it happens rarely.
        entries = sorted(self._entries())
        used = sum(size for _, size, _ in entries)
        target = 0.9 * self.budget_bytes - wanted_bytes
        for _, size, path in entries:
            if used <= target:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            used -= size
        self._used_bytes = used

    def _entries(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process may have removed it meanwhile
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return found
