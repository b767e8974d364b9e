"""Which images `zoo predict` takes: files and folders, once or as they arrive, and result names."""

from __future__ import annotations

import contextlib
import os
import time
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path

from zoo.data.listing import find_images, why_no_file
from zoo.utils.errors import ZooError
from zoo.utils.names import MAX_BYTES, shortened

LINES, BLOBS = "predictions.jsonl", "blobs.csv"
MASKS, OVERLAYS = "masks", "overlays"
_SUFFIXES = (".png", ".jpg")  # of both

# Size in bytes, times of the last change of content and of anything, in ns, and number of the file:
# who overwrites one may set its first time back, as `cp -p` does, but not the second.
_State = tuple[int, int, int, int]


class Sources:
    """Images and folders of images; results of `zoo predict` in these folders do not count.

    Args:
        paths: Files and folders.
        out: Where results will be written.

    Attributes:
        notices: What `images` left out, one line per kind of files.
        unreadable: What of it may show something and cannot be predicted, with the reason.

    Raises:
        ZooError: One of them does not exist.
    """

    def __init__(self, paths: Sequence[Path], out: Path) -> None:
        self.paths = paths
        self.notices: list[str] = []
        self.unreadable: dict[Path, str] = {}
        results = [out]
        for path in paths:
            if not path.exists():
                link = f"it is {why_no_file(path)}" if path.is_symlink() else "it does not exist"
                raise ZooError(f"no image and no folder at {path}: {link}")
            results += [lines.parent for lines in path.rglob(LINES)] if path.is_dir() else []
        self._without = [folder / name for folder in results for name in (MASKS, OVERLAYS)]
        folders = [_absolute(path if path.is_dir() else path.parent) for path in paths]
        try:
            self._common = Path(os.path.commonpath(folders))
        except ValueError as error:  # Windows has no folder above its drives
            raise ZooError("images on several drives: predict them drive by drive") from error

    def images(self, may_be_empty: bool = False) -> list[Path]:
        """Return the images that are there now, each once, in a fixed order.

        Args:
            may_be_empty: Accept folders without an image, and folders that are moved away.

        Raises:
            ZooError: A folder holds no image.
        """
        unique: dict[Path, Path] = {}
        self.notices, self.unreadable = [], {}
        for path in self.paths:
            for image in self._below(path, may_be_empty) if path.is_dir() else self._file(path):
                unique.setdefault(_absolute(image), image)
        return list(unique.values())

    def new_images(self, interval_s: float) -> Iterator[list[Path]]:
        """Yield, again and again, the images that are new or were overwritten; never ends.

        An image counts once it is the same twice in a row: before that a camera may be writing it.

        Args:
            interval_s: Seconds between two looks at the folders.
        """
        before: dict[Path, _State] = {}
        done: dict[Path, _State] = {}
        while True:
            now = self._states()
            ready = [path for path in now if before.get(path) == now[path] != done.get(path)]
            yield ready
            # What is gone is forgotten: it may come again under the same name.
            done = {path: state for path, state in done.items() if path in now}
            done |= {path: now[path] for path in ready}
            before = now
            time.sleep(interval_s)

    def place(self, path: Path) -> Path:
        """Return an image's place below the folder that all paths have in common."""
        return _absolute(path).relative_to(self._common)

    def _file(self, path: Path) -> list[Path]:
        """Return a file that was named itself, unless opening it would wait for ever."""
        reason = why_no_file(path)
        if reason is None or not os.path.lexists(path):  # deleted meanwhile: reading it fails
            return [path]
        self.unreadable[path] = reason
        return []

    def _below(self, folder: Path, may_be_empty: bool) -> list[Path]:
        try:
            below = find_images(folder, self._without, may_be_empty)
        except ZooError:
            if may_be_empty:  # moved away for a moment
                return []
            raise
        self.notices += below.notices()
        self.unreadable |= below.unread
        return below.images

    def _states(self) -> dict[Path, _State]:
        states = {}
        for path in self.images(may_be_empty=True):
            with contextlib.suppress(OSError):  # moved on meanwhile
                stat = path.stat()
                if stat.st_size:  # an empty file has only been begun
                    states[path] = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
        return states


class ResultNames:
    """Names of results that fit on every file system, none of them given to two images.

    A result lies where its image does, below the folder of results, under its stem.
    """

    def __init__(self) -> None:
        self._owners: dict[str, Path | None] = {}  # None: a folder has that name

    def of(self, place: Path) -> Path:
        """Return the name of an image's results, without suffix: always the same for it.

        Args:
            place: Of the image, relative.
        """
        stem = place.stem if place.stem.strip(".") else place.name
        flat = "_".join(place.parts)
        # `7.jpg` and `7.png` of one folder: the second one keeps its whole name. Where a folder
        # has the name of another result, none of these will do.
        candidates = chain(
            (place.with_name(_fitting(name)) for name in (stem, place.name)),
            (Path(_fitting(flat if number == 1 else f"{flat}.{number}")) for number in count(1)),
        )
        return next(name for name in candidates if self._takes(name, place))

    def _takes(self, name: Path, place: Path) -> bool:
        """Take a name, unless another image or a folder has it."""
        files = [_key(name.with_name(name.name + suffix)) for suffix in _SUFFIXES]
        folders = [_key(folder) for folder in name.parents]
        if any(self._owners.get(file, place) != place for file in files):
            return False
        if any(self._owners.get(folder) is not None for folder in folders):
            return False
        self._owners |= dict.fromkeys(files, place) | dict.fromkeys(folders)
        return True


def _fitting(name: str) -> str:
    return shortened(name, MAX_BYTES - max(map(len, _SUFFIXES)))


def _key(path: Path) -> str:
    """Return what file systems that know no case, or one form of umlauts only, compare."""
    return unicodedata.normalize("NFC", path.as_posix()).casefold()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links
