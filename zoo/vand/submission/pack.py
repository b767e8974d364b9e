"""Packs a submission's folder as the server takes it: gzip-compressed tar, files only."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from zoo.data.listing import is_hidden
from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError
from zoo.vand.submission.tree import MAPS, MASKS, SUFFIXES
from zoo.vand.submission.workplace import check_free

# Higher levels take twice the time for 2 % of the size: maps are noise to gzip.
_LEVEL = 1

Count = Callable[[list[Path]], Iterable[Path]]


def pack(folder: Path, archive: Path, name: str, count: Count = iter) -> Path:
    """Write an archive whose members are `<name>/anomaly_images/...`, sorted, files only.

    The same files give the same bytes: owners, dates and rights do not enter. The archive appears
    when it is complete.

    Args:
        folder: The submission's folder.
        archive: Where to write; nothing may be there.
        name: What every member's name begins with.
        count: Wraps the files, to show how far it is.

    Raises:
        ZooError: Something is there; maps or masks are missing.
    """
    files = check_pairs(folder)
    with atomic_path(check_free(archive)) as aside:
        with (
            aside.open("xb") as raw,
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for path in count(files):
                member = tarfile.TarInfo(f"{name}/{path.relative_to(folder).as_posix()}")
                member.size = path.stat().st_size
                member.mode = 0o644
                with path.open("rb") as file:
                    tar.addfile(member, file)
        check_free(archive)
    return archive


def check_pairs(folder: Path) -> list[Path]:
    """Return all files of a submission's folder but hidden ones, sorted.

    Raises:
        ZooError: There are no maps or no masks, or one is without the other.
    """
    stems = {}
    for tree in (MAPS, MASKS):
        found = [path.relative_to(folder / tree) for path in _files(folder / tree)]
        stems[tree] = {path.with_suffix("") for path in found if path.suffix == SUFFIXES[tree]}
        if not stems[tree]:
            what = "masks" if tree == MASKS else "maps"
            raise ZooError(
                f"no {what} in {folder / tree}: without {what} the server scores 0; "
                "`zoo submit RUN... --out OUT` writes both"
            )
    alone = sorted(stems[MAPS] ^ stems[MASKS])
    if alone:
        what = "map and no mask" if alone[0] in stems[MAPS] else "mask and no map"
        raise ZooError(f"{folder}: {alone[0]} has a {what}; {len(alone)} files are alone")
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted, without hidden ones such as `.DS_Store`."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not is_hidden(path.name))
