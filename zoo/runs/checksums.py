"""The SHA-256 of every file that decides results, in `checksums.json` beside them."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from zoo.runs.documents import REPAIR
from zoo.utils.atomic import write_bytes
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256, file_stamp
from zoo.utils.schema import Digest, Text, read_json, validated

CHECKSUMS = "checksums.json"
# Two digests while a file is being replaced: whichever of both is there is right.
_Record = dict[Text, Annotated[list[Digest], Field(min_length=1, max_length=2)]]


def write_checksums(folder: Path) -> None:
    """Write down the files of a run: all but images and score maps, which have lists."""
    paths = [path for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS]
    paths += folder.glob("maps/*/index.json")
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    _write(folder, {name: [file_sha256(folder / name)] for name in names})


def has_checksums(folder: Path) -> bool:
    """Whether the files of a run were written down."""
    return (folder / CHECKSUMS).is_file()


def verify(folder: Path, name: str | Path, repair: str = REPAIR) -> None:
    """Raise where a file of a run is another one than was written down.

    Args:
        folder: Of the run.
        name: Of the file, below the folder; one that is missing or was not written down passes.
        repair: What a person can do about it.
    """
    path = Path(folder) / name
    known = _read(folder).get(Path(name).as_posix())
    if known and path.is_file() and _digest(path) not in known:
        raise ZooError(
            f"{path} is not the file that the run wrote, its SHA-256 is another: {repair}"
        )


def verify_all(folder: Path) -> None:
    """Raise where any file of a run is another one than was written down."""
    for name in _read(folder):
        verify(folder, name)


def put_file(folder: Path, name: str, data: bytes) -> None:
    """Write a file of a run anew; the content counts as the run's own from now on."""
    digest, record = hashlib.sha256(data).hexdigest(), _read(folder)
    if name in record:
        present = [each for each in record[name] if each == file_sha256(folder / name)]
        _write(folder, {**record, name: [digest, *present]})
    write_bytes(folder / name, data)
    if name in record:
        _write(folder, {**record, name: [digest]})


def keep_copy(folder: Path, name: str, copy: str) -> None:
    """Copy a file of a run inside its folder; a damaged one is known as damaged there too."""
    write_bytes(folder / copy, (folder / name).read_bytes())
    record = _read(folder)
    if name in record:
        _write(folder, {**record, copy: record[name]})


def remove_file(folder: Path, name: str) -> None:
    """Remove a file of a run, and what was written down of it."""
    (folder / name).unlink()
    record = _read(folder)
    if record.pop(name, None):
        _write(folder, record)


def _read(folder: Path) -> _Record:
    path = Path(folder) / CHECKSUMS
    return validated(_Record, read_json(path, REPAIR), path, REPAIR) if path.is_file() else {}


def _write(folder: Path, record: _Record) -> None:
    write_bytes(folder / CHECKSUMS, f"{json.dumps(record, indent=2, sort_keys=True)}\n".encode())


def _digest(path: Path) -> str:
    """Return a file's SHA-256, once for as long as the file stays what it is."""
    return _remembered(path, tuple(file_stamp(path)))


@lru_cache(maxsize=256)
def _remembered(path: Path, stamp: tuple[int, ...]) -> str:
    return file_sha256(path)
