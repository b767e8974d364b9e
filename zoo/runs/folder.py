"""The folder of one run: its name, its files, and how it appears all at once."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.runs.checksums import CHECKSUMS, write_checksums
from zoo.runs.documents import COST, FAILED, METRICS, read_metrics
from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError

FORMAT_VERSION = 2  # of the folder: raised when an older run could be misread
CONFIG = "config.yaml"
MODEL = "model.ckpt"
CALIBRATION = "calibration.json"
HISTOGRAMS = "histograms.npz"
RULE_HISTOGRAMS = "rule_histograms.npz"  # of scores as the threshold rule sees them
CASES = "cases"
MAPS = "maps"
ATTESTATION = "attestation.json"  # of a sealed run, see `zoo.benchmark.sealed`
ROBUSTNESS = "robustness"  # see `zoo relight`
# What a run writes; whatever else lies in its folder is somebody's own.
_OURS = [METRICS, FAILED, CONFIG, MODEL, CALIBRATION, COST, HISTOGRAMS, CASES, MAPS]
_OURS += [RULE_HISTOGRAMS, ATTESTATION, ROBUSTNESS, CHECKSUMS]
_OURS += ["calibrations"]  # older ones, see `zoo.runs.calibrations`: they are of that run's model
UNFINISHED = ".unfinished"
_HEADER = b"# anomalib-zoo=="  # what our configurations begin with


def has_metrics_of_ours(folder: Path) -> bool:
    """Whether a file of metrics, however damaged, stands beside a configuration that we wrote."""
    with contextlib.suppress(OSError), (Path(folder) / CONFIG).open("rb") as file:
        ours = file.read(len(_HEADER)) == _HEADER
        return ours and (Path(folder) / METRICS).is_file()
    return False


def check_writable(folder: Path) -> None:
    """Raise where nothing can be written, before anything is computed; makes the folder.

    Raises:
        ZooError: The disk is full or read-only, or the folder is somebody else's.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ZooError(f"cannot write to {folder} ({why}): give another one with --out") from error


def check_free(folder: Path) -> None:
    """Raise where no run may be written: in a file's place, or in somebody's own folder."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ZooError(f"{folder} is a file: a run needs a folder, give another one")
    if "config_hash" in (read_metrics(folder) or {}) or (folder / FAILED).is_file():
        return  # a run of ours gives way to a newer one
    if has_metrics_of_ours(folder) or (folder / UNFINISHED).is_file():
        return  # and so does what is left of one
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise ZooError(f"{folder} is not empty and holds no run: give a new folder")


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON that people can read, complete or not at all; NaN is refused."""
    write_text(path, json_text(data))


def json_text(data: Any) -> str:
    """Return plain data as JSON that people can read; NaN is refused."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes the final name only when the block ends well.

    An interrupted or failed block leaves nothing behind under the final name, and an older run
    there stays until the new one is complete. What people laid beside an older run is not touched.

    Raises:
        ZooError: The final name belongs to a file, or to a folder that holds no run.
    """
    folder = Path(folder).resolve()  # `.` has no name that another one could stand beside
    check_free(folder)
    aside = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        write_checksums(aside)
        if folder.exists():
            _replace(folder, aside)
        else:
            aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def no_empty_folders(folder: Path) -> Iterator[None]:
    """Remove the folders that the block made above a run, if it fails with nothing in them."""
    made = [parent for parent in Path(folder).resolve().parents if not parent.exists()]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something lies there
            for parent in made:
                parent.rmdir()
        raise


@contextmanager
def appearing_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes its name, where nothing may be, when all is well."""
    aside = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(folder: Path, aside: Path) -> None:
    """Move a run into a folder that exists; the metrics come last, they show that it is whole."""
    _remove(folder / UNFINISHED)
    (folder / UNFINISHED).touch()  # after a kill here the next run may still take the folder
    for name in dict.fromkeys([*_OURS, *(path.name for path in aside.iterdir())]):
        _remove(folder / name)
    for path in sorted(aside.iterdir(), key=lambda path: path.name == METRICS):
        shutil.move(path, folder / path.name)
    (folder / UNFINISHED).unlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def own_folder(run: Path, name: str) -> Path:
    """Return a folder inside a run, which is made if it is not there.

    Raises:
        ZooError: Writing there would lead out of the run, or there is a file.
    """
    place = Path(run) / name
    if not place.resolve().is_relative_to(Path(run).resolve()):
        raise ZooError(
            f"{place} is a link to {place.resolve()}, and a run is written inside its own folder "
            "only: remove the link"
        )
    if place.exists() and not place.is_dir():
        raise ZooError(f"{place} is a file where a folder belongs: move it")
    place.mkdir(exist_ok=True)
    return place


def note_failure(folder: Path, facts: dict[str, Any]) -> None:
    """Leave the reason of a failed run where its result would be; what is there is kept."""
    with contextlib.suppress(OSError, ZooError):  # the disk may be what failed
        folder = Path(folder)
        check_free(folder)
        if read_metrics(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / FAILED, facts)
