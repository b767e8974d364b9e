"""The calibrations that a run had before, oldest first: `calibrations/0001.json` and so on."""

from __future__ import annotations

from pathlib import Path

from zoo.methods.admissibility import with_calibration
from zoo.postprocess.calibration import Calibration
from zoo.runs.check import read_calibration
from zoo.runs.checksums import keep_copy, put_file, remove_file
from zoo.runs.folder import CALIBRATION, METRICS, json_text, own_folder
from zoo.utils.errors import ZooError
from zoo.utils.schema import read_json

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
    place = own_folder(folder, HISTORY) / f"{number:04d}.json"
    keep_copy(folder, CALIBRATION, f"{HISTORY}/{place.name}")
    put_file(folder, CALIBRATION, calibration.to_text().encode())
    _note_admissible(folder, calibration)
    return place


def put_back(folder: Path) -> None:
    """Let the last older calibration of a run hold again; the present one is gone.

    Raises:
        ZooError: There is none.
    """
    own_folder(folder, HISTORY)
    kept = last(folder)
    put_file(folder, CALIBRATION, kept.read_bytes())
    remove_file(folder, f"{HISTORY}/{kept.name}")
    _note_admissible(folder, read_calibration(folder))


def _note_admissible(folder: Path, calibration: Calibration) -> None:
    """Let the run's metrics say whether VAND 4.0 admits it with this calibration."""
    metrics = read_json(folder / METRICS)  # as it is: only this one value changes
    noted = metrics.get("vand4_admissible")
    said = noted and with_calibration(noted, calibration.given)
    if said != noted:
        text = json_text({**metrics, "vand4_admissible": said})
        put_file(folder, METRICS, text.encode())
