"""The files of a submission: a map and a mask of each image, and the archive of all of them."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import cv2
import numpy as np
import tifffile

from zoo.data.listing import is_hidden
from zoo.utils.atomic import atomic_path, write_bytes
from zoo.utils.errors import ZooError
from zoo.utils.progress import counted
from zoo.vand.submission.expected import MAPS, MASKS, SUFFIXES, Image
from zoo.vand.submission.staging import check_free

# A fixed level, so that equal masks are equal files; masks are so plain that others gain nothing.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
# Higher levels take twice the time for 2 % of the size: maps are noise to gzip.
_GZIP_LEVEL = 1


def write_pair(folder: Path, image: Image, encoded: np.ndarray, mask: np.ndarray) -> None:
    """Write both files of an image, each complete or not there; the mask comes last.

    Args:
        folder: The submission's folder.
        image: The image.
        encoded: float16 (H, W).
        mask: bool (H, W), True where defective.
    """
    for tree in (MAPS, MASKS):
        (folder / image.place(tree)).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / image.place(MAPS)) as aside:
        # Without metadata the file holds the map and nothing else: no shape, no software, no date.
        tifffile.imwrite(aside, encoded, photometric="minisblack", metadata=None, software=False)
    # cv2.imwrite fails silently, and on names that Windows writes in another alphabet.
    png = cv2.imencode(".png", mask.view(np.uint8) * 255, _PNG)[1]
    write_bytes(folder / image.place(MASKS), png.tobytes())


def is_written(folder: Path, image: Image) -> bool:
    """Whether both files of an image are there."""
    return all((folder / image.place(tree)).is_file() for tree in (MAPS, MASKS))


def check_pairs(folder: Path) -> list[Path]:
    """Return all files of a submission's folder but hidden ones, sorted.

    Raises:
        ZooError: There are no maps or no masks, or one is without the other.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not is_hidden(p.name))
    stems = {}
    for tree, what in ((MAPS, "maps"), (MASKS, "masks")):
        inside = [p.relative_to(folder / tree) for p in files if p.is_relative_to(folder / tree)]
        stems[tree] = {path.with_suffix("") for path in inside if path.suffix == SUFFIXES[tree]}
        if not stems[tree]:
            raise ZooError(
                f"no {what} in {folder / tree}: without {what} the server scores 0; "
                "`zoo submit RUN... --out OUT` writes both"
            )
    alone = sorted(stems[MAPS] ^ stems[MASKS])
    if alone:
        what = "map and no mask" if alone[0] in stems[MAPS] else "mask and no map"
        raise ZooError(f"{folder}: {alone[0]} has a {what}; {len(alone)} files are alone")
    return files


def pack(folder: Path, archive: Path, name: str) -> Path:
    """Write an archive whose members are `<name>/anomaly_images/...`, sorted, files only.

    The same files give the same bytes: owners, dates and rights do not enter. The archive appears
    when it is complete.

    Args:
        folder: The submission's folder.
        archive: Where to write; nothing may be there.
        name: What every member's name begins with.

    Raises:
        ZooError: Something is there; maps or masks are missing.
    """
    files = check_pairs(folder)
    with atomic_path(check_free(archive)) as aside:
        with (
            aside.open("xb") as raw,
            gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for path in counted(files, len(files), "packed"):
                member = tarfile.TarInfo(f"{name}/{path.relative_to(folder).as_posix()}")
                member.size = path.stat().st_size
                member.mode = 0o644
                with path.open("rb") as file:
                    tar.addfile(member, file)
        check_free(archive)
    return archive
