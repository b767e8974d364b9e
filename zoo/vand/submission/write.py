"""From finished runs to a submission: image after image, resumable, complete or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from zoo import __version__
from zoo.data.splits import PRIVATE_SPLITS
from zoo.postprocess.finish import Finished
from zoo.runs.documents import read_cost
from zoo.utils.errors import ZooError
from zoo.utils.progress import counted, duration
from zoo.vand.submission.expected import MAPS, Expected, Image
from zoo.vand.submission.pack import check_pairs, is_written, pack, write_pair
from zoo.vand.submission.runs import ObjectRun, check_calibrations
from zoo.vand.submission.sources import Affine, Source
from zoo.vand.submission.staging import StagingFolder, begun_bytes, is_archive, submission_name

# Per megapixel on one core, and what is left of a map by gzip: results/submission_cost.csv, with
# room for the disk. A mask is small beside its map.
_WRITE_SECONDS, _PACK_SECONDS = 0.02, 0.03
_MAP_BYTES, _MASK_BYTES = 2, 0.02
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
    folder_bytes, archive_bytes, seconds = estimate(runs, expected, packs=is_archive(out))
    free = check_space(out, folder_bytes + archive_bytes - begun_bytes(out))
    staging = StagingFolder(out, fingerprint(runs, expected))
    packed = f", about {size(archive_bytes)} packed" if archive_bytes else ""
    log(
        f"{runs[0].recipe}, seed {runs[0].seed}, {len(runs)} objects: {len(expected.images)} "
        f"images, {size(folder_bytes)} of maps and masks{packed}, about {duration(seconds)}"
    )
    log(f"{size(free)} are free; Ctrl-C keeps what is finished, the same command goes on")
    todo = [image for image in expected.images if not is_written(staging.folder, image)]
    if staging.is_resumed:
        log(f"going on: {len(expected.images) - len(todo)} images are there")
    n_cut = 0
    for image, affine, result in counted(_results(staging, sources, todo), len(todo), "images"):
        encoded, cut = affine.encode(result.score_map)
        write_pair(staging.folder, image, encoded, result.mask)
        n_cut += cut
    if n_cut:
        log(f"{n_cut} scores lie more than 65,504 normal ranges away and were cut to that")
    files = check_pairs(staging.folder)
    if is_archive(out):
        seconds = _PACK_SECONDS * expected.n_pixels / 1e6
        log(f"packing {len(files)} files, about {duration(seconds)}")
        pack(staging.folder, out, submission_name(out))
        staging.remove()
    else:
        staging.move_folder()
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


def _results(
    staging: StagingFolder, sources: dict[str, Source], images: Sequence[Image]
) -> Iterator[tuple[Image, Affine, Finished]]:
    """Yield each image with its object's affine map, and its mask and raw map at native size."""
    for name, group in groupby(images, key=lambda image: image.object_name):
        affine = staging.affine(name)
        if affine is None:
            affine = sources[name].affine()
            staging.keep_affine(name, affine)
        of_object = list(group)
        for image, result in zip(of_object, sources[name].finished(of_object), strict=True):
            yield image, affine, result


def estimate(runs: Sequence[ObjectRun], expected: Expected, packs: bool) -> tuple[int, int, float]:
    """Return the bytes of maps and masks, those of the archive if it `packs`, and seconds."""
    seconds = sum(seconds_per_image(run) * len(expected.of(run.object_name)) for run in runs)
    seconds += expected.n_pixels / 1e6 * (_WRITE_SECONDS + _PACK_SECONDS * packs)
    folder_bytes = int(expected.n_pixels * (_MAP_BYTES + _MASK_BYTES))
    return folder_bytes, int(folder_bytes * _PACKED * packs), seconds


def seconds_per_image(run: ObjectRun) -> float:
    """Return about how long the model takes for one private image; 0 where its maps are there."""
    if run.keeps_maps():
        return 0.0
    try:
        cost = read_cost(run.folder)
        for split in (*PRIVATE_SPLITS, "test_public"):
            if split in cost["phases"]:
                n_images = run.metrics["splits"][split]["n_images"] or 0
                return cost["phases"][split]["wall_s"] / n_images
        return cost["latency"]["mean_ms"] / 1000
    except (ZooError, KeyError, TypeError, ZeroDivisionError):  # not all of it was measured
        return 0.0


def check_space(folder: Path, needed_bytes: int) -> int:
    """Return the bytes that are free where `folder` will be.

    Raises:
        ZooError: They are too few.
    """
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise ZooError(
            f"{size(free)} are free at {existing}, the submission needs {size(needed_bytes)}: "
            "free some, or give --out on another disk"
        )
    return free


def size(n_bytes: float) -> str:
    """Return bytes as people write them.

    Example:
        >>> size(32_740_000_000), size(1_500_000)
        ('32.7 GB', '1.5 MB')
    """
    unit, name = (1e9, "GB") if n_bytes >= 1e9 else (1e6, "MB")
    return f"{n_bytes / unit:.1f} {name}"
