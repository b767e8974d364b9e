"""From finished runs to a submission: image after image, resumable, complete or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from zoo import __version__
from zoo.postprocess.finish import Finished
from zoo.utils.progress import counted, duration
from zoo.vand.submission.affine import Affine
from zoo.vand.submission.estimate import PACK_SECONDS, check_space, estimate, size
from zoo.vand.submission.pack import check_pairs, pack
from zoo.vand.submission.pair import is_written, write_pair
from zoo.vand.submission.runs import ObjectRun, check_calibrations
from zoo.vand.submission.sources import Source, source_of
from zoo.vand.submission.tree import MAPS, Expected, Image
from zoo.vand.submission.workplace import StagingFolder, begun_bytes, is_archive, submission_name

Say = Callable[[str], None]


def submit(
    runs: Sequence[ObjectRun],
    expected: Expected,
    root: Path | None,
    out: Path,
    device: str | None = None,
    say: Say = print,
) -> Path:
    """Write the submission of one run per object, as a folder or as an archive.

    Args:
        runs: The runs.
        expected: The images to judge.
        root: The data set; None where it is gone and the runs kept their maps.
        out: Where the submission goes: a folder, or NAME.tar.gz.
        device: Where models run.
        say: Receives what it will take and what was done.

    Returns:
        `out`.

    Raises:
        ZooError: `out` is taken, a run offers no maps or was calibrated on test images, or the
            disk is too small.
    """
    if root is not None:
        check_calibrations(runs, root)
    sources = {run.object_name: source_of(run, root, device) for run in runs}
    needs = estimate(runs, expected, packs=is_archive(out))
    free = check_space(out, needs.needed_bytes - begun_bytes(out))
    work = StagingFolder(out, fingerprint(runs, expected))
    first = runs[0]
    say(f"{first.recipe}, seed {first.seed}, {len(runs)} objects: {needs.describe()}")
    say(f"{size(free)} are free; Ctrl-C keeps what is finished, the same command goes on")
    todo = [image for image in expected.images if not is_written(work.folder, image)]
    if work.is_resumed:
        say(f"going on: {len(expected.images) - len(todo)} images are there")
    n_cut = 0
    for image, affine, finished in counted(judged(work, sources, todo), len(todo), "images"):
        encoded, cut = affine.encode(finished.score_map)
        write_pair(work.folder, image, encoded, finished.mask)
        n_cut += cut
    if n_cut:
        say(f"{n_cut} scores lie more than 65,504 normal ranges away and were cut to that")
    files = check_pairs(work.folder)
    if is_archive(out):
        seconds = PACK_SECONDS * expected.n_pixels / 1e6
        say(f"packing {len(files)} files, about {duration(seconds)}")
        pack(work.folder, out, submission_name(out), _counter("packed"))
        work.remove()
    else:
        work.give_folder()
    say(f"written to {out}")
    return out


def judged(
    work: StagingFolder, sources: dict[str, Source], images: Sequence[Image]
) -> Iterator[tuple[Image, Affine, Finished]]:
    """Yield each image with its object's affine map, its mask and its raw map at native size."""
    for name, group in groupby(images, key=lambda image: image.object_name):
        affine = work.affine(name)
        if affine is None:
            affine = sources[name].affine()
            work.note_affine(name, affine)
        group = list(group)
        for image, finished in zip(group, sources[name].judged(group), strict=True):
            yield image, affine, finished


def fingerprint(runs: Sequence[ObjectRun], expected: Expected) -> str:
    """Return 16 hex digits of all that decides a submission's files."""
    facts = {
        "zoo": __version__,
        "runs": [[run.metrics["config_hash"], run.calibration.to_dict()] for run in runs],
        "images": [[each.place(MAPS), each.native_size] for each in expected.images],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _counter(doing: str) -> Callable[[list[Path]], Iterable[Path]]:
    return lambda files: counted(files, len(files), doing)
