"""Whether the files of a run are those that it wrote: disks, copies and hands change them."""

from __future__ import annotations

from pathlib import Path

from zoo.runs.checksums import CHECKSUMS, has_checksums, verify, verify_all
from zoo.runs.documents import COST, MEND, METRICS, check_metrics, read_cost
from zoo.runs.folder import HISTOGRAMS, MODEL, RULE_HISTOGRAMS, has_metrics_of_ours
from zoo.utils.errors import ZooError


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
        raise ZooError(f"run {folder} has no {CHECKSUMS}, so that nobody can tell damage: {MEND}")
    for name in (METRICS, COST, *((HISTOGRAMS, RULE_HISTOGRAMS, MODEL) * with_model)):
        verify(folder, name)
