"""Which pictures `zoo predict` judges: files and folders as given, and a name for each result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from zoo.data.pictures import pictures
from zoo.errors import ZooError

LINES, BLOBS = "predictions.jsonl", "blobs.csv"
MASKS, OVERLAYS = "masks", "overlays"


class Sources:
    """Pictures and folders of pictures; results of ours that lie in these folders do not count.

    Args:
        given: Files and folders.
        out: Where results will be written.

    Attributes:
        notices: What was left out at the last look, one line per kind of files.

    Raises:
        ZooError: One of them does not exist.
    """

    def __init__(self, given: Sequence[Path], out: Path) -> None:
        self.given = given
        self.notices: list[str] = []
        for path in given:
            if not path.exists():
                raise ZooError(f"no picture and no folder at {path}: it does not exist")
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
        self.notices = []
        for path in self.given:
            for each in self._below(path, may_be_empty) if path.is_dir() else [path]:
                once.setdefault(_absolute(each), each)
        return list(once.values())

    def name(self, path: Path) -> Path:
        """Return a picture's place below the folder that all given ones have in common."""
        return _absolute(path).relative_to(self._common)

    def _below(self, folder: Path, may_be_empty: bool) -> list[Path]:
        try:
            below = pictures(folder, without=self._without)
        except ZooError:
            if may_be_empty:
                return []
            raise
        self.notices += below.notices()
        return below.images


def _common(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([_absolute(folder) for folder in folders]))
    except ValueError as error:  # Windows has no folder above its drives
        raise ZooError("pictures on several drives: judge them drive by drive") from error


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would name what a link leads to
