"""SHA-256 of files, kept beside the image cache: each is read once for as long as it stays."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from zoo.data.cache import cache_folder
from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256, file_stamp
from zoo.utils.schema import Digest, FileName, read_json, validated

_Entry = tuple[int, int, int, int, int, Digest]  # a stamp, see `file_stamp`, and the SHA-256
_TICK_NS = 2_000_000_000  # of the coarsest clock that a file system keeps


def file_digests(paths: Iterable[Path], folder: Path | None = None) -> dict[Path, str]:
    """Return the SHA-256 of each file as 64 hex digits.

    Args:
        paths: The files.
        folder: Where digests are kept; beside the image cache by default. A folder that
            cannot be written costs time, nothing else.

    Raises:
        ZooError: A file cannot be read.
    """
    below = defaultdict(list)
    for path in paths:
        below[path.parent].append(path)
    if folder is None and (cache := cache_folder()):
        folder = cache / "digests"
    digests: dict[Path, str] = {}
    for parent, files in below.items():
        name = hashlib.sha256(os.fsencode(parent.resolve())).hexdigest()[:32]
        digests |= _digests(files, folder and folder / f"{name}.json")
    return digests


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return 16 hex digits that change when a file is added, removed, renamed or altered.

    Name and content of every file count; neither the location nor the time stamp does, so that a
    copied data set is the same data set.

    Args:
        files: Pairs of a name (unique, the same wherever the data lies) and the file.

    Raises:
        ZooError: A file cannot be read.
    """
    listed = sorted(files)
    digests = file_digests(path for _, path in listed)
    return json_digest([(name, digests[path]) for name, path in listed])


def json_digest(data: object) -> str:
    """Return 16 hex digits of the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of all files below a folder and of their places in it.

    Raises:
        ZooError: A file cannot be read.
    """
    digests = file_digests(path for path in folder.rglob("*") if path.is_file())
    listed = sorted((path.relative_to(folder).as_posix(), text) for path, text in digests.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _digests(files: list[Path], record: Path | None) -> dict[Path, str]:
    """Return the digests of files in one folder, and record those that can be trusted."""
    known = _read(record)
    digests: dict[Path, str] = {}
    fresh: dict[str, _Entry] = {}
    for path in files:
        try:
            before, begin = file_stamp(path), time.time_ns()
            entry = known.get(path.name)
            if entry and list(entry[:-1]) == before:
                digests[path] = entry[-1]
                continue
            digests[path] = file_sha256(path)
            is_old = begin - max(before[1], before[2]) > _TICK_NS
            if is_old and file_stamp(path) == before:
                size, modified, changed, inode, device = before
                fresh[path.name] = (size, modified, changed, inode, device, digests[path])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ZooError(f"{path} cannot be read ({reason}): copy it again") from error
    if fresh and record is not None:
        with contextlib.suppress(OSError):  # who writes last may forget what another has hashed
            record.parent.mkdir(parents=True, exist_ok=True)
            write_text(record, json.dumps(known | fresh))
    return digests


def _read(record: Path | None) -> dict[str, _Entry]:
    with contextlib.suppress(ZooError):  # none yet, or a damaged one: hashed again
        if record is not None:
            return validated(dict[FileName, _Entry], read_json(record), record)
    return {}
