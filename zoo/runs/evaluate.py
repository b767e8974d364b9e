"""Evaluate test splits: finished masks and raw maps at native size, image by image."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from anomalib.models import AnomalibModule

from zoo.data.datamodule import NativeDataModule
from zoo.data.dataset import NativeBatch
from zoo.data.masks import looks_inverted
from zoo.data.sample import Sample
from zoo.data.splits import VALIDATION
from zoo.methods.method import score_split
from zoo.methods.post_processor import calibration_of
from zoo.metrics import PixelScores, add_splits
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import score_batch
from zoo.recipes.experiment import Keep
from zoo.runs.cases import CaseCollector
from zoo.runs.check import check_run, read_calibration
from zoo.runs.checksums import put_file
from zoo.runs.documents import METRICS, Figures, Metrics
from zoo.runs.figures import RuleScores, SplitEvaluation
from zoo.runs.folder import CASES, HISTOGRAMS, RULE_HISTOGRAMS, json_text, own_folder
from zoo.runs.maps import MapWriter, SavedMaps
from zoo.runs.normal_images import datamodule_of
from zoo.runs.rebuild import read_config
from zoo.runs.training import Report, silent
from zoo.utils.errors import ZooError, ZooWarning
from zoo.utils.timing import PeakMemory, Stopwatch, measure_latency, processor_name, versions

_LATENCY_IMAGES = 4


@dataclass(frozen=True)
class Evaluation:
    """What the test splits gave, and the time that one image takes."""

    splits: dict[str, SplitEvaluation]
    rule_scores: dict[str, PixelScores]
    latency: dict[str, Any]


def evaluate(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    splits: Sequence[str],
    folder: Path,
    stopwatch: Stopwatch,
    report: Report,
    keep: Keep = "model",
) -> Evaluation:
    """Score every test split with a model that is fitted and calibrated.

    Args:
        model: In evaluation mode, with its calibration.
        datamodule: The data.
        splits: Names of test splits.
        folder: Of the run; cases are written there, and maps if they are kept.
        stopwatch: Gets one phase per split.
        report: Receives what is being done.
        keep: See `Experiment`.
    """
    datamodule.follow_model(model)
    calibration = calibration_of(model)
    evaluations, rule_scores = {}, {}
    for split in splits:
        datamodule.warn_of_depths(split)
        writer = MapWriter(folder, split) if keep == "maps" else None
        with stopwatch.phase(split):
            evaluations[split], rule_scores[split] = evaluate_split(
                score_split(model, datamodule, split),
                datamodule,
                split,
                calibration,
                folder,
                report,
                writer,
            )
    report("latency")
    return Evaluation(evaluations, rule_scores, _latency(model, datamodule, splits))


def evaluate_split(
    scored_images: Iterable[Scored],
    datamodule: NativeDataModule,
    split: str,
    calibration: Calibration,
    folder: Path,
    report: Report,
    writer: MapWriter | None = None,
) -> tuple[SplitEvaluation, PixelScores]:
    """Evaluate raw maps of one split, wherever they come from, and keep a few cases.

    Args:
        scored_images: One raw map per image of the split, in its order.
        datamodule: Lists the images and their truth.
        split: Name of the split.
        calibration: Makes masks of maps.
        folder: Of the run; cases are written there.
        report: Receives how far it is.
        writer: Keeps the maps, if they shall be kept.

    Returns:
        The split's figures, and histograms of scores as the threshold rule sees them.
    """
    listed, n_inverted = datamodule.listed(split), 0
    evaluation, cases, rule_scores = SplitEvaluation(), CaseCollector(), RuleScores(calibration)
    for index, (sample, scored) in enumerate(zip(listed, scored_images, strict=True)):
        report(f"{split} {index}/{len(listed)}")
        finished = finish(scored.score_map, scored.native_size, calibration)
        truth = sample.truth(scored.native_size)
        n_inverted += truth is not None and looks_inverted(truth)
        evaluation.update(finished, scored.score, truth, sample.label, sample.item)
        cases.update(sample.image_path, finished, truth, sample.label)
        rule_scores.update(finished.score_map, truth)
        if writer:
            writer.append(scored)
    if writer:
        writer.close()
    cases.save(folder / CASES / split, calibration)
    if n_inverted:
        warnings.warn(
            f"{n_inverted} of {len(listed)} masks of {split} mark more than half of their image: "
            "black is normal, so are they inverted?",
            ZooWarning,
            stacklevel=2,
        )
    return evaluation, rule_scores.pixels


def _latency(
    model: AnomalibModule, datamodule: NativeDataModule, splits: Sequence[str]
) -> dict[str, Any]:
    """Time one image at a time, from the decoded image at model size to its finished mask."""
    dataset = datamodule.dataset(splits[0] if splits else VALIDATION)
    dataset.with_truth = False
    items = [dataset[index] for index in range(min(_LATENCY_IMAGES, len(dataset)))]
    calibration = calibration_of(model)
    passes = 0

    def work() -> None:
        nonlocal passes
        batch = NativeBatch.collate([items[passes % len(items)]])
        passes += 1
        [scored] = score_batch(model, batch)
        finish(scored.score_map, scored.native_size, calibration)

    return measure_latency(work)


def measure_cost(
    model: AnomalibModule, stopwatch: Stopwatch, memory: PeakMemory, latency: dict[str, Any]
) -> dict[str, Any]:
    """Return what `cost.json` holds, see `zoo.utils.timing`."""
    on_gpu = model.device.type == "cuda"
    return {
        "phases": stopwatch.phases,
        "total_s": stopwatch.total_s,
        "latency": latency,
        "memory": {
            "peak_rss_mb": memory.peak_mb,
            "above_start_mb": memory.peak_mb - memory.start_mb,
            "peak_device_mb": torch.cuda.max_memory_allocated() / 1e6 if on_gpu else None,
        },
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": torch.cuda.get_device_name() if on_gpu else model.device.type,
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def reevaluate(folder: Path) -> Metrics:
    """Evaluate every test split of a run by the calibration that holds now.

    Args:
        folder: Of a run that kept its maps (`--keep maps`).

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
            found, rules = evaluate_split(scored, datamodule, split, calibration, aside, silent)
            metrics["splits"][split] = cast("Figures", found.result())
            add_splits(aside / HISTOGRAMS, {split: found.pixels})
            add_splits(aside / RULE_HISTOGRAMS, {split: rules})
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
