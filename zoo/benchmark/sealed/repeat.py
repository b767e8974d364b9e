"""Repeats a sealed run from its own configuration and compares what comes out."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zoo.benchmark.sealed.attestation import Check, read_attestation
from zoo.benchmark.sealed.run import fit_sealed
from zoo.data import layout
from zoo.postprocess.calibration import Calibration
from zoo.recipes.experiment import load
from zoo.recipes.files import run_folder
from zoo.runs.check import check_run, read_calibration
from zoo.runs.documents import Figures, Metrics, check_metrics
from zoo.runs.folder import CONFIG
from zoo.runs.run import run
from zoo.runs.training import Report

_SCORES = ("segf1", "oracle_segf1", "image_auroc", "au_pro_005")
_LIMITS = ("rule", "parameters", "min_area_px", "normalisation", "split", "n_images", "n_pixels")


def repeat(folder: Path, root: Path, tolerance: float, log: Report) -> list[Check]:
    """Carry a run out again, sealed and in a temporary folder, and return all comparisons.

    Args:
        folder: The run's folder.
        root: The data set.
        tolerance: Largest difference of a score that counts as the same, and of the threshold
            relative to its size.
        log: Receives what is being done.
    """
    metrics = check_run(folder)
    name, seed = metrics["object"], metrics["seed"]
    splits = [split for split in layout.splits_on_disk(root, name) if split in metrics["splits"]]
    with tempfile.TemporaryDirectory(prefix="zoo-verify-") as beside:
        experiment = load(
            folder / CONFIG,
            name=metrics["recipe"],
            data={"init_args": {"root": str(root), "category": name}},
            seed=seed,
            folder=run_folder(Path(beside), "repeated", name, seed),
            splits=tuple(splits),
            command=metrics["command"],
        )
        run(experiment, fit=fit_sealed, report=log)
        return list(_compare(folder, experiment.folder, tolerance))


def _compare(folder: Path, again: Path, tolerance: float) -> Iterator[Check]:
    first, second = read_attestation(folder), read_attestation(again)
    for kind in ("data", "code", "weights"):
        one, other = (set(record["reads"][kind].values()) for record in (first, second))
        yield Check(one == other, f"repeated: the same {kind} were read ({len(one)} files)")
    yield from _calibrations(read_calibration(folder), read_calibration(again), tolerance)
    yield from _scores(check_metrics(folder), check_metrics(again), tolerance)


def _calibrations(old: Calibration, new: Calibration, tolerance: float) -> Iterator[Check]:
    if replace(old, findings={}) == replace(new, findings={}):
        yield Check(True, "repeated: the same calibration to the last digit")
        return
    others = [name for name in _LIMITS if getattr(old, name) != getattr(new, name)]
    near = math.isclose(old.threshold, new.threshold, rel_tol=max(tolerance, 1e-9))
    text = f"threshold {old.threshold:.6g}, again {new.threshold:.6g}"
    yield Check(near and not others, f"repeated: {text}{''.join(f', other {n}' for n in others)}")


def _scores(old: Metrics, new: Metrics, tolerance: float) -> Iterator[Check]:
    for split, values in new["splits"].items():
        before = old["splits"][split]
        if values == before:
            yield Check(True, f"repeated: {split} gives the same scores to the last digit")
            continue
        for name in _SCORES:
            one, other = _number(before, name), _number(values, name)
            if one is None and other is None:
                continue
            holds = one is not None and other is not None and abs(one - other) <= tolerance
            yield Check(holds, f"repeated: {split} {name} {_text(one)}, again {_text(other)}")


def _number(figures: Figures, name: str) -> float | None:
    value = dict(figures).get(name)
    return float(value) if isinstance(value, int | float) else None


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6f}"
