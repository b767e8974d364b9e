"""The calibrations that a run had before, oldest first: `calibrations/0001.json` and so on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import ZooError
from zoo.post.calibration import Calibration
from zoo.runs.check import read_calibration
from zoo.runs.folder import CALIBRATION, METRICS, read_metrics, write_json
from zoo.vand4 import with_calibration

HISTORY = "calibrations"


def older(folder: Path) -> list[Path]:
    """Return the files of the calibrations that a run had before, oldest first."""
    return sorted(path for path in (folder / HISTORY).glob("*.json") if path.stem.isdigit())


def last(folder: Path) -> Path:
    """Return the file of the calibration that held before the present one.

    Raises:
        ZooError: There is none.
    """
    kept = older(folder)
    if not kept:
        raise ZooError(f"run {folder} has no older calibration: there is nothing to put back")
    return kept[-1]


def replace(folder: Path, calibration: Calibration) -> Path:
    """Give a run a new calibration and return where the old one is kept.

    Both files appear whole or not at all; in between the old calibration holds.
    """
    kept = older(folder)
    number = int(kept[-1].stem) + 1 if kept else 1
    place = folder / HISTORY / f"{number:04d}.json"
    place.parent.mkdir(exist_ok=True)
    with _appearing(place) as aside:
        aside.write_bytes((folder / CALIBRATION).read_bytes())
    with _appearing(folder / CALIBRATION) as aside:
        calibration.save(aside)
    _note_admissible(folder, calibration)
    return place


def put_back(folder: Path) -> None:
    """Let the last older calibration of a run hold again; the present one is gone.

    Raises:
        ZooError: There is none.
    """
    last(folder).replace(folder / CALIBRATION)
    _note_admissible(folder, read_calibration(folder))


def _note_admissible(folder: Path, calibration: Calibration) -> None:
    """Let the run's metrics say whether VAND 4.0 admits it with this calibration."""
    metrics = read_metrics(folder) or {}
    noted = metrics.get("vand4_admissible")
    said = noted and with_calibration(noted, calibration.given)
    if said != noted:
        with _appearing(folder / METRICS) as aside:
            write_json(aside, {**metrics, "vand4_admissible": said})


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """Give a file to write into that takes its name when the block ends well."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
