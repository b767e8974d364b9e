"""Whether a folder is a run that this version can read, with the files that it wrote."""

from __future__ import annotations

from pathlib import Path

from zoo import __version__
from zoo.postprocess.calibration import REPAIR as CALIBRATION_REPAIR
from zoo.postprocess.calibration import Calibration
from zoo.runs.checksums import CHECKSUMS, has_checksums, verify, verify_all
from zoo.runs.documents import (
    COST,
    METRICS,
    REPAIR,
    Metrics,
    check_metrics,
    read_cost,
    read_metrics,
)
from zoo.runs.folder import (
    CALIBRATION,
    CONFIG,
    FORMAT_VERSION,
    HISTOGRAMS,
    MODEL,
    RULE_HISTOGRAMS,
    UNFINISHED,
    has_metrics_of_ours,
)
from zoo.utils.errors import ZooError


def check_run(folder: str | Path, with_model: bool = True) -> Metrics:
    """Return the metrics of a finished run.

    Args:
        folder: Folder of the run.
        with_model: Whether the run must have kept its model.

    Raises:
        ZooError: No run, a damaged one, one of another version, or one without a model.
    """
    folder = Path(folder).expanduser()
    if not all((folder / name).is_file() for name in (METRICS, CONFIG)):
        what = "no finished run" if folder.is_dir() else "no such folder"
        raise ZooError(f"{what} at {folder}{_hint(folder)}")
    check_sound(folder, with_model)
    metrics = check_metrics(folder)
    found = metrics.get("format", 0)
    if found != FORMAT_VERSION:
        writer = metrics.get("zoo_version", "an unknown version")
        raise ZooError(
            f"run {folder} was written by anomalib-zoo {writer} in format {found}, this is "
            f"{__version__} and reads format {FORMAT_VERSION}: fit again, or install that version"
        )
    if with_model and not (folder / MODEL).is_file():
        raise ZooError(f"run {folder} kept no model: repeat it without --keep none")
    return metrics


def runs_below(folder: str | Path, with_model: bool = True) -> list[Path]:
    """Return the run in a folder, or all finished runs below it, sorted.

    Raises:
        ZooError: There is none, or one of them as in `check_run`.
    """
    folder = Path(folder).expanduser()
    found = [path.parent for path in sorted(folder.rglob(METRICS))] or [folder]
    if read_metrics(folder) is not None:
        found = [folder]
    found = [path for path in found if not path.name.endswith(UNFINISHED)] or [folder]
    for path in found:
        check_run(path, with_model)
    return found


def read_calibration(folder: Path, name: str | Path = CALIBRATION) -> Calibration:
    """Return the calibration of a run, or an older one by its place in the folder.

    Raises:
        ZooError: It is missing, damaged or of another version.
    """
    calibration = Calibration.load(Path(folder) / name)
    verify(folder, name, CALIBRATION_REPAIR)
    return calibration


def _hint(folder: Path) -> str:
    inner = min(folder.rglob(METRICS), default=None) if folder.is_dir() else None
    if inner:
        return f"; did you mean {inner.parent}?"
    return "; `zoo fit` and `zoo bench` make one"


def damage(folder: Path) -> str | None:
    """Return what is wrong with a run's files, or None for a sound run and where there is none."""
    if not has_metrics_of_ours(folder):
        return None
    try:
        check_sound(folder)
        verify_all(folder)
    except ZooError as error:
        return str(error)
    return None


def check_sound(folder: Path, with_model: bool = True) -> None:
    """Raise for a damaged run.

    Only files are looked at that are there: which ones a run must have is another question.

    Args:
        folder: Of the run.
        with_model: Whether model and histograms count, which numbers and tables do without.

    Raises:
        ZooError: A file is not what the run wrote.
    """
    folder = Path(folder)
    check_metrics(folder)
    read_cost(folder)
    if with_model and not has_checksums(folder):
        raise ZooError(f"run {folder} has no {CHECKSUMS}, so that nobody can tell damage: {REPAIR}")
    for name in (METRICS, COST, *((HISTOGRAMS, RULE_HISTOGRAMS, MODEL) * with_model)):
        verify(folder, name)
