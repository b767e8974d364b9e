"""SHA-256 of files, each read once for as long as it stays as it is.

What was hashed is remembered beside the image cache, folder by folder. A file counts as the same
while size, times of modification and of change, inode and device are; a file that was written just
now could be written again within one tick of the clock, and is hashed anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from zoo.data.cache import cache_folder
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256, file_stamp
from zoo.utils.schema import Digest, FileName, read_json, validated

_Entry = tuple[int, int, int, int, int, Digest]  # a stamp, see `file_stamp`, and the SHA-256
_TICK_NS = 2_000_000_000  # of the coarsest clock that a file system keeps


def file_digests(paths: Iterable[Path], folder: Path | None = None) -> dict[Path, str]:
    """Return the SHA-256 of each file as 64 hex digits.

    Args:
        paths: The files.
        folder: Where digests are remembered; beside the image cache by default. A folder that
            cannot be written costs time, nothing else.

    Raises:
        ZooError: A file cannot be read.
    """
    below = defaultdict(list)
    for path in paths:
        below[path.parent].append(path)
    remembered = _folder() if folder is None else folder
    found: dict[Path, str] = {}
    for parent, files in below.items():
        found |= _digests(files, _record(remembered, parent))
    return found


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of all files below a folder and of their places in it.

    Raises:
        ZooError: A file cannot be read.
    """
    digests = file_digests(path for path in folder.rglob("*") if path.is_file())
    listed = sorted((path.relative_to(folder).as_posix(), text) for path, text in digests.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _folder() -> Path | None:
    folder = cache_folder()
    return folder and folder / "digests"


def _record(folder: Path | None, parent: Path) -> Path | None:
    """Return the file that remembers the digests of one folder's files."""
    if folder is None:
        return None
    name = hashlib.sha256(os.fsencode(parent.resolve())).hexdigest()[:32]
    return folder / f"{name}.json"


def _digests(files: list[Path], record: Path | None) -> dict[Path, str]:
    """Return the digests of files in one folder, and remember those that can be trusted."""
    known = _read(record)
    found, fresh = {}, {}
    for path in files:
        try:
            before, begin = file_stamp(path), time.time_ns()
            remembered = known.get(path.name)
            if remembered and list(remembered[:-1]) == before:
                found[path] = remembered[-1]
                continue
            found[path] = file_sha256(path)
            settled = begin - max(before[1], before[2]) > _TICK_NS
            if settled and file_stamp(path) == before:
                fresh[path.name] = [*before, found[path]]
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ZooError(f"{path} cannot be read ({reason}): copy it again") from error
    if fresh and record is not None:
        _write(record, known | fresh)
    return found


def _read(record: Path | None) -> dict[str, _Entry]:
    with contextlib.suppress(ZooError):  # none yet, or a damaged one: hashed again
        if record is not None:
            return validated(dict[FileName, _Entry], read_json(record), record)
    return {}


def _write(record: Path, known: dict[str, _Entry | list]) -> None:
    """Write aside, then rename; who writes last may forget what another one has just hashed."""
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=record.parent, suffix=".part", encoding="ascii", delete=False
        ) as file:
            try:
                json.dump(known, file)
                file.close()
                Path(file.name).replace(record)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
