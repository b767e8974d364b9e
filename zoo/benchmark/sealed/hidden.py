"""What of a data set a sealed run must not see: by the places of files, and by their content.

Only train and validation of one object may be seen. All else is hidden, wherever links lead and
whatever a copy of it is called.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from zoo.data.known_images import images_of_tests
from zoo.data.layout import samples
from zoo.data.listing import IMAGE_SUFFIXES
from zoo.data.splits import FIT_SPLITS
from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_path, file_sha256
from zoo.utils.plain_yaml import leaves

_DEPTH = 3  # object, split, good: folders that may be links


class HiddenData:
    """The part of a data set that a sealed run of one object must not see.

    Args:
        root: The data set.
        object_name: The object whose train and validation images may be seen.

    Attributes:
        places: Real folders that hold the data set: its own, and those that links in it lead to.

    Raises:
        ZooError: The object has no train or no validation images.
    """

    def __init__(self, root: Path, object_name: str) -> None:
        self.root, self.object_name = Path(root), object_name
        self.places = sorted({Path(os.path.realpath(path)) for path in _folders(self.root)})
        splits = [samples(self.root, object_name, split) for split in FIT_SPLITS]
        self._seen = _Contents(sample.image_path for listed in splits for sample in listed)
        everything = (path for path in _files(self.root) if path.suffix.lower() in IMAGE_SUFFIXES)
        self._hidden = _Contents(set(everything) - set(self._seen.paths))

    def holds(self, path: Path | str) -> bool:
        """Whether a path lies in the data set, or some of the data set below it."""
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(p) or p.is_relative_to(real) for p in self.places)

    def twin(self, path: Path) -> Path | None:
        """Return the hidden image that a file equals byte by byte, if there is one."""
        twin = self._hidden.twin(path)
        return None if twin is None or self._seen.twin(path) else twin

    def twins(self, digests: Iterable[str]) -> list[Path]:
        """Return the hidden images that have one of these SHA-256; all of them are read."""
        hidden = self._hidden.digests()
        return sorted(hidden[d] for d in hidden.keys() & set(digests) - self._seen.digests().keys())

    def check_seen(self) -> None:
        """Raise ZooError where a test image is among those that may be seen."""
        tests = _Contents(images_of_tests(self.root))
        for path in self._seen.paths:
            if (twin := tests.twin(path)) is not None:
                raise ZooError(
                    f"{path} is the same file as {twin}, a test image, from which no sealed run "
                    "learns: remove one of the two"
                )

    def check_named(self, config: Any, key: str) -> None:
        """Raise ZooError where a configuration names files of the data set, or hidden copies.

        Args:
            config: Plain data; relative paths are those of the working folder.
            key: Where it stands in the recipe.
        """
        sees = f"a sealed run sees train and validation of '{self.object_name}', and that is all"
        for place, path in named_paths(config, key):
            if self.holds(path):
                raise ZooError(f"{place} names {path}, and the data set is {self.root}: {sees}")
            for file in _files(path):
                if (twin := self.twin(file)) is not None:
                    raise ZooError(f"{place} names {path}, and {file} is a copy of {twin}: {sees}")

    def check_read(self, reads: Iterable[str]) -> None:
        """Raise ZooError where a file that was read is a copy of a hidden image."""
        for text in reads:
            if (twin := self.twin(Path(text))) is not None:
                raise ZooError(f"the sealed process read {text}, a copy of {twin}: the run is void")


class _Contents:
    """Files by their content; only those of equal size are read to compare them."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = sorted(paths)
        self._by_size: dict[int, list[Path]] = defaultdict(list)
        for path in self.paths:
            if path.is_file():
                self._by_size[path.stat().st_size].append(path)
        self._digest = cache(file_sha256)

    def twin(self, path: Path) -> Path | None:
        """Return a file of these with the content of another file."""
        try:
            alike = self._by_size.get(path.stat().st_size)
            digest = file_sha256(path) if alike else None
        except OSError:  # gone, or nothing to read
            return None
        return next((twin for twin in alike or () if self._digest(twin) == digest), None)

    def digests(self) -> dict[str, Path]:
        """Return the SHA-256 of all of them, each with a file that has it."""
        return {self._digest(path): path for alike in self._by_size.values() for path in alike}


def named_paths(config: Any, key: str) -> Iterator[tuple[str, Path]]:
    """Yield the files and folders that plain data at `key` name, with their place in it."""
    for place, value in leaves(config, key):
        if isinstance(value, str | Path) and str(value).strip("."):
            path = expand_path(value)
            with contextlib.suppress(OSError, ValueError):  # a text that is no path
                if path.exists():
                    yield place, path


def _folders(root: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield a folder and the folders in it, links too, down to a depth."""
    yield root
    if depth:
        for path in root.iterdir():
            if path.is_dir():
                yield from _folders(path, depth - 1)


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or those below a folder; links are followed, each folder once."""
    if not path.is_dir():
        yield path
        return
    seen: set[str] = set()
    for here, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(here, name) for name in names)
