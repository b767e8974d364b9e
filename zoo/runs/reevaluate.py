"""Masks, cases and metrics of a run made anew from the score maps that it kept, without a fit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from zoo.data.sample import Sample
from zoo.metrics import add_splits
from zoo.predict.predictor import Scored
from zoo.runs.check import check_run, read_calibration
from zoo.runs.checksums import put_file
from zoo.runs.documents import METRICS, Figures, Metrics
from zoo.runs.evaluate import evaluate_split
from zoo.runs.fit import Say
from zoo.runs.folder import CASES, HISTOGRAMS, RULE_HISTOGRAMS, json_text, own_folder
from zoo.runs.maps import SavedMaps
from zoo.runs.normal_images import datamodule_of
from zoo.runs.rebuild import read_config
from zoo.utils.errors import ZooError


def reevaluate(folder: Path, say: Say = lambda text: None) -> Metrics:
    """Evaluate every test split of a run by the calibration that holds now.

    Args:
        folder: Of a run that kept its maps (`--keep maps`).
        say: Receives how far it is.

    Returns:
        The metrics that were written.

    Raises:
        ZooError: The run kept no maps, or its images are gone or changed.
    """
    metrics, calibration = check_run(folder, with_model=False), read_calibration(folder)
    datamodule = datamodule_of(read_config(folder))
    if datamodule.fingerprint() != metrics.get("data_fingerprint"):
        raise ZooError(f"the images of run {folder} have changed since it was fitted: fit again")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".evaluation-") as name:
        aside = Path(name)
        for names in (HISTOGRAMS, RULE_HISTOGRAMS):
            shutil.copy2(folder / names, aside / names)  # validation's stay
        for split in list(metrics["splits"]):
            maps = SavedMaps(folder, split)
            scored = _scored(maps, datamodule.listed(split))
            found, rule_scores = evaluate_split(scored, datamodule, split, calibration, aside, say)
            metrics["splits"][split] = cast("Figures", found.result())
            add_splits(aside / HISTOGRAMS, {split: found.pixels})
            add_splits(aside / RULE_HISTOGRAMS, {split: rule_scores})
            place = own_folder(folder, CASES) / split
            shutil.rmtree(place, ignore_errors=True)
            if (aside / CASES / split).is_dir():
                (aside / CASES / split).replace(place)
        for names in (HISTOGRAMS, RULE_HISTOGRAMS):
            put_file(folder, names, (aside / names).read_bytes())
    put_file(folder, METRICS, json_text(metrics).encode())
    return metrics


def _scored(maps: SavedMaps, samples: list[Sample]) -> Iterator[Scored]:
    """Yield the maps of a split as the method gave them."""
    for index, (sample, entry) in enumerate(zip(samples, maps.entries, strict=True)):
        height, width = entry["native_size"]
        yield Scored(sample.image_path, (height, width), maps.read(index), entry["score"])
