"""The files of a run's folder: their names, and whether they are whole."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

CONFIG = "config.yaml"
MODEL = "model.ckpt"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
FAILED = "failed.json"
COST = "cost.json"
HISTOGRAMS = "histograms.npz"
CASES = "cases"
MAPS = "maps"
ATTESTATION = "attestation.json"  # of a sealed run, see `zoo.sealed`
ROBUSTNESS = "robustness"  # see `zoo relight`

_HEADER = b"# anomalib-zoo=="  # what our configurations begin with


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """Return the metrics of a finished run, or None when there is none."""
    return _read(Path(folder) / METRICS)


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON that people can read; NaN is refused."""
    text = json.dumps(data, indent=2, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def damage(folder: Path, with_model: bool = True) -> str | None:
    """Return what is wrong with a run's files, or None for a sound run and where there is none.

    A full disk, a crash of the machine and a broken copy leave files that end too early. Only
    files are looked at that are there: which ones a run must have is another question.

    Args:
        folder: Of the run.
        with_model: Whether model and histograms count, which numbers and tables do without.
    """
    folder = Path(folder)
    if not ((folder / METRICS).is_file() and _is_ours(folder)):
        return None
    for name in (METRICS, COST, CALIBRATION):
        if (folder / name).is_file() and _read(folder / name) is None:
            return f"{name} cannot be read"
    for name in (HISTOGRAMS, MODEL) * with_model:  # zip archives, whose directory stands at the end
        if (folder / name).is_file() and not zipfile.is_zipfile(folder / name):
            return f"{name} is cut off"
    return None


def _is_ours(folder: Path) -> bool:
    """Whether another program's file of that name is out of the question."""
    with contextlib.suppress(OSError), (folder / CONFIG).open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER
    return False


def _read(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        data = json.loads(path.read_text(encoding="utf-8"))
        return data if isinstance(data, dict) else None
    return None
