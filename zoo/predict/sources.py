"""Which pictures `zoo predict` judges: files and folders as given, and a name for each result."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from zoo.data.listing import why_no_file
from zoo.data.pictures import pictures
from zoo.utils.errors import ZooError
from zoo.utils.names import MAX_BYTES, shortened

LINES, BLOBS = "predictions.jsonl", "blobs.csv"
MASKS, OVERLAYS = "masks", "overlays"
_SUFFIXES = (".png", ".jpg")  # of both


class Sources:
    """Pictures and folders of pictures; results of ours that lie in these folders do not count.

    Args:
        given: Files and folders.
        out: Where results will be written.

    Attributes:
        notices: What was left out at the last look, one line per kind of files.
        unread: What of it may show something and cannot be judged, each with the reason.

    Raises:
        ZooError: One of them does not exist.
    """

    def __init__(self, given: Sequence[Path], out: Path) -> None:
        self.given = given
        self.notices: list[str] = []
        self.unread: dict[Path, str] = {}
        for path in given:
            if not path.exists():
                link = f"it is {why_no_file(path)}" if path.is_symlink() else "it does not exist"
                raise ZooError(f"no picture and no folder at {path}: {link}")
        results = [out]
        for path in given:
            results += [lines.parent for lines in path.rglob(LINES)] if path.is_dir() else []
        self._without = [folder / name for folder in results for name in (MASKS, OVERLAYS)]
        self._common = _common([path if path.is_dir() else path.parent for path in given])

    def found(self, may_be_empty: bool = False) -> list[Path]:
        """Return the pictures that are there now, each once, in a fixed order.

        Args:
            may_be_empty: Pictures are still to come, so that a folder without any is no mistake.

        Raises:
            ZooError: A folder holds no picture.
        """
        once: dict[Path, Path] = {}
        self.notices, self.unread = [], {}
        for path in self.given:
            for each in self._below(path, may_be_empty) if path.is_dir() else self._file(path):
                once.setdefault(_absolute(each), each)
        return list(once.values())

    def place(self, path: Path) -> Path:
        """Return a picture's place below the folder that all given ones have in common."""
        return _absolute(path).relative_to(self._common)

    def _file(self, path: Path) -> list[Path]:
        """Return a file that was given itself, unless opening it would wait for ever."""
        reason = why_no_file(path)
        if reason is None or not os.path.lexists(path):  # gone meanwhile: to read it tells
            return [path]
        self.unread[path] = reason
        return []

    def _below(self, folder: Path, may_be_empty: bool) -> list[Path]:
        try:
            below = pictures(folder, self._without, may_be_empty)
        except ZooError:
            if may_be_empty:  # moved away for a moment
                return []
            raise
        self.notices += below.notices()
        self.unread |= below.unread()
        return below.images


class ResultNames:
    """Names of results that fit on every file system, none of them given to two pictures.

    A result lies where its picture does, below the folder of results, under its stem.
    """

    def __init__(self) -> None:
        self._owners: dict[str, Path | None] = {}  # None: a folder has that name

    def of(self, place: Path) -> Path:
        """Return the name of a picture's results, without suffix: always the same for it.

        Args:
            place: Of the picture, relative.
        """
        stem = place.stem if place.stem.strip(".") else place.name
        flat = "_".join(place.parts)
        # `7.jpg` and `7.png` of one folder: the second one keeps its whole name. Where a folder
        # has the name of another result, none of these will do.
        tried = chain(
            (place.with_name(_fitting(name)) for name in (stem, place.name)),
            (Path(_fitting(flat if number == 1 else f"{flat}.{number}")) for number in count(1)),
        )
        return next(found for found in tried if self._takes(found, place))

    def _takes(self, found: Path, place: Path) -> bool:
        """Take a name, unless another picture or a folder has it."""
        names = [_key(found.with_name(found.name + suffix)) for suffix in _SUFFIXES]
        folders = [_key(folder) for folder in found.parents]
        if any(self._owners.get(name, place) != place for name in names):
            return False
        if any(self._owners.get(folder) is not None for folder in folders):
            return False
        self._owners |= dict.fromkeys(names, place) | dict.fromkeys(folders)
        return True


def _fitting(name: str) -> str:
    return shortened(name, MAX_BYTES - max(map(len, _SUFFIXES)))


def _key(path: Path) -> str:
    """Return what file systems that know no case, or one form of umlauts only, tell apart."""
    return unicodedata.normalize("NFC", path.as_posix()).casefold()


def _common(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([_absolute(folder) for folder in folders]))
    except ValueError as error:  # Windows has no folder above its drives
        raise ZooError("pictures on several drives: judge them drive by drive") from error


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would name what a link leads to
