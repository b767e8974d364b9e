"""Whether the files of a run are whole: a full disk, a crash or a broken copy cuts them off."""

from __future__ import annotations

import zipfile
from pathlib import Path

from zoo.errors import ZooError
from zoo.runs.documents import MEND, check_metrics, read_cost
from zoo.runs.folder import HISTOGRAMS, MODEL, has_metrics_of_ours


def damage(folder: Path, with_model: bool = True) -> str | None:
    """Return what is wrong with a run's files, or None for a sound run and where there is none.

    Only files are looked at that are there: which ones a run must have is another question.

    Args:
        folder: Of the run.
        with_model: Whether model and histograms count, which numbers and tables do without.
    """
    folder = Path(folder)
    if not has_metrics_of_ours(folder):
        return None
    try:
        check_metrics(folder)
        read_cost(folder)
    except ZooError as error:
        return str(error)
    for name in (HISTOGRAMS, MODEL) * with_model:  # zip archives, whose directory is at the end
        if (folder / name).is_file() and not zipfile.is_zipfile(folder / name):
            return f"{folder / name} is cut off: {MEND}"
    return None


def check_sound(folder: Path, with_model: bool = True) -> None:
    """Raise for a damaged run; arguments as `damage`."""
    if broken := damage(folder, with_model):
        raise ZooError(broken)
