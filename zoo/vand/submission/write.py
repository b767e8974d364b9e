"""From finished runs to a submission: image after image, resumable, complete or not there.

Files are written into `OUT.unfinished/NAME`, which the same command goes on in; `OUT` appears when
all is there. `OUT.unfinished/fingerprint` names runs and thresholds that the files come from.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import tifffile

from zoo import __version__
from zoo.data.listing import is_hidden
from zoo.postprocess.finish import Finished
from zoo.runs.folder import UNFINISHED
from zoo.utils.atomic import ASIDE, atomic_path, write_bytes, write_text
from zoo.utils.errors import ZooError
from zoo.utils.progress import counted
from zoo.vand.submission.expected import MAPS, MASKS, SUFFIXES, Expected, Image
from zoo.vand.submission.runs import ObjectRun, check_calibrations
from zoo.vand.submission.sources import Affine, Source

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
# A fixed level, so that equal masks are equal files; masks are so plain that others gain nothing.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
# Higher levels take twice the time for 2 % of the size: maps are noise to gzip.
_GZIP_LEVEL = 1
# Of a pixel: float16 of the map, and its share of a mask. What gzip leaves of both stands in
# results/submission_cost.csv.
BYTES_PER_PIXEL = 2.02
_PACKED = 0.35


def submit(
    runs: Sequence[ObjectRun],
    expected: Expected,
    root: Path | None,
    out: Path,
    device: str | None = None,
    log: Callable[[str], None] = print,
) -> Path:
    """Write the submission of one run per object, as a folder or as an archive.

    Args:
        runs: The runs.
        expected: The images to predict.
        root: The data set; None where it is gone and the runs kept their maps.
        out: Where the submission goes: a folder, or NAME.tar.gz.
        device: Where models run.
        log: Receives what it will take and what was done.

    Returns:
        `out`.

    Raises:
        ZooError: `out` is taken, a run offers no maps or was calibrated on test images, or the
            disk is too small.
    """
    if root is not None:
        check_calibrations(runs, root)
    sources = {run.object_name: Source(run, root, device) for run in runs}
    check_free(out)
    aside = out.with_name(out.name + UNFINISHED)
    folder = aside / submission_name(out)
    folder_bytes = BYTES_PER_PIXEL * expected.n_pixels
    archive_bytes = _PACKED * folder_bytes * is_archive(out)
    there = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
    check_space(out, folder_bytes + archive_bytes - there)
    packed = f", about {size(archive_bytes)} packed" if archive_bytes else ""
    log(
        f"{runs[0].recipe}, seed {runs[0].seed}, {len(runs)} objects: {len(expected.images)} "
        f"images, {size(folder_bytes)} of maps and masks{packed}"
    )
    log("Ctrl-C keeps what is finished, the same command goes on")
    is_resumed = _begin(aside, folder, fingerprint(runs, expected))
    todo = [image for image in expected.images if not is_written(folder, image)]
    if is_resumed:
        log(f"going on: {len(expected.images) - len(todo)} images are there")
    n_cut = 0
    for image, affine, result in counted(_results(sources, todo), len(todo), "images"):
        encoded, cut = affine.encode(result.score_map)
        write_pair(folder, image, encoded, result.mask)
        n_cut += cut
    if n_cut:
        log(f"{n_cut} scores lie more than 65,504 normal ranges away and were cut to that")
    files = check_pairs(folder)
    if is_archive(out):
        log(f"packing {len(files)} files")
        pack(folder, out, submission_name(out))
    else:
        folder.replace(check_free(out))
    shutil.rmtree(aside)
    log(f"written to {out}")
    return out


def fingerprint(runs: Sequence[ObjectRun], expected: Expected) -> str:
    """Return 16 hex digits of everything that decides a submission's files."""
    facts = {
        "zoo": __version__,
        "runs": [[run.metrics["config_hash"], run.calibration.to_dict()] for run in runs],
        "images": [[image.place(MAPS), image.native_size] for image in expected.images],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _begin(aside: Path, folder: Path, made_from: str) -> bool:
    """Make the folder of an unfinished submission, and return whether it was there already."""
    path = aside / "fingerprint"
    if is_resumed := os.path.lexists(aside):
        if not path.is_file() or path.read_bytes() != made_from.encode():
            raise ZooError(
                f"{aside} holds the beginning of a submission of other runs or thresholds: "
                "remove it, or give another --out"
            )
        for begun in folder.rglob(f"{ASIDE}*"):  # files that were only begun
            begun.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, made_from)
    return is_resumed


def _results(
    sources: dict[str, Source], images: Sequence[Image]
) -> Iterator[tuple[Image, Affine, Finished]]:
    """Yield each image with its object's affine map, and its mask and raw map at native size."""
    for name, group in groupby(images, key=lambda image: image.object_name):
        affine, of_object = sources[name].affine(), list(group)
        for image, result in zip(of_object, sources[name].finished(of_object), strict=True):
            yield image, affine, result


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


def is_archive(out: Path) -> bool:
    """Whether a place is that of an archive; else it is a folder's."""
    return out.name.endswith(ARCHIVE_SUFFIXES)


def submission_name(out: Path) -> str:
    """Return the name of a submission: its folder's, or its archive's without suffix."""
    suffix = next((suffix for suffix in ARCHIVE_SUFFIXES if out.name.endswith(suffix)), "")
    return out.name.removesuffix(suffix)


def check_free(out: Path) -> Path:
    """Return a place where nothing is yet.

    Raises:
        ZooError: Something is there, or it is the place of another kind of archive.
    """
    if os.path.lexists(out):
        raise ZooError(
            f"{out} is there already and nothing is overwritten: remove it, or give another --out; "
            f"`zoo submit --check {out}` checks whether it is complete"
        )
    if out.suffix in {".tar", ".gz", ".zip", ".bz2", ".xz", ".7z"} and not is_archive(out):
        raise ZooError(f"{out}: the server takes gzip-compressed tar; give NAME.tar.gz or a folder")
    if not submission_name(out):
        raise ZooError(f"{out}: a submission needs a name before its suffix")
    return out


def check_space(out: Path, needed_bytes: float) -> None:
    """Raise ZooError where the disk of a new file or folder has too few bytes left."""
    existing = next(path for path in [out, *out.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise ZooError(
            f"{size(free)} are free at {existing}, the submission needs {size(needed_bytes)}: "
            "free some, or give --out on another disk"
        )


def size(n_bytes: float) -> str:
    """Return bytes as people write them.

    Example:
        >>> size(32_740_000_000), size(1_500_000)
        ('32.7 GB', '1.5 MB')
    """
    unit, name = (1e9, "GB") if n_bytes >= 1e9 else (1e6, "MB")
    return f"{n_bytes / unit:.1f} {name}"
