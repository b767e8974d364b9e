"""One run: fit on train, calibrate on validation, judge every split, write the folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from anomalib.models import AnomalibModule

from zoo import __version__
from zoo.data.batch import NativeBatch
from zoo.data.known_images import image_digests
from zoo.data.masks import looks_inverted
from zoo.data.native import TRAIN, VALIDATION, NativeDataModule
from zoo.methods.post_processor import BlobPostProcessor
from zoo.metrics import PixelScores, add_splits
from zoo.postprocess.calibration import NO_THRESHOLD, doubt
from zoo.postprocess.false_alarms import FalseAlarms, expected_false_alarms
from zoo.postprocess.finish import finish
from zoo.postprocess.score_maps import ScoreMapSpool
from zoo.predict.detector import TorchPredictor
from zoo.predict.scenes import scenes
from zoo.predict.scoring import score_batch, score_split
from zoo.runs.cases import CaseCollector
from zoo.runs.engine import RunEngine
from zoo.runs.evaluate import SplitEvaluation
from zoo.runs.folder import (
    CALIBRATION,
    CASES,
    COST,
    FORMAT_VERSION,
    HISTOGRAMS,
    METRICS,
    MODEL,
    RULE_HISTOGRAMS,
    write_json,
)
from zoo.runs.maps import MapWriter
from zoo.runs.rule_scores import RuleScores
from zoo.runs.training.callbacks import learns_long, training_callbacks
from zoo.runs.training.check import check_data, check_headers, warn_of_depths
from zoo.runs.training.precision import with_precision
from zoo.runs.training.resume import ResumePoint
from zoo.utils.errors import ZooWarning
from zoo.utils.timing import PeakMemory, Stopwatch, measure_latency, processor_name, versions

Say = Callable[[str], None]
Keep = Literal["model", "maps", "none"]
_LATENCY_IMAGES = 4


def execute(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    trainer_settings: dict[str, Any],
    splits: Sequence[str],
    facts: dict[str, Any],
    folder: Path,
    say: Say = lambda text: None,
    ckpt_path: str | None = None,
    keep: Keep = "model",
    resume: ResumePoint | None = None,
) -> dict[str, Any]:
    """Carry out one run and write everything but `config.yaml` into its folder.

    Args:
        model: Any anomalib module; it gets the shared post-processor if it has another.
        datamodule: Data of one object.
        trainer_settings: Settings of the lightning trainer.
        splits: Test splits to judge.
        facts: Stands first in `metrics.json`: recipe, method, object, seed, config hash.
        folder: Where to write; exists.
        say: Receives what is being done, for the progress display.
        ckpt_path: Checkpoint that the fit goes on from, if any.
        keep: "model" keeps the fitted model, "maps" all raw score maps besides, "none" neither.
        resume: Where the fit keeps its state, and goes on from if there is one.

    Returns:
        What was written to `metrics.json`.

    Raises:
        ZooError: Data, method or maps are not usable.
    """
    watch = Stopwatch()
    with PeakMemory() as memory:
        datamodule.follow_model(model)
        check_headers(datamodule, (TRAIN, VALIDATION, *splits))
        if learns_long(model, trainer_settings):
            check_data(datamodule, splits, say)
        false_alarms = fit_and_calibrate(
            model, datamodule, trainer_settings, folder, watch, say, ckpt_path, keep, resume
        )
        judged = judge(model, datamodule, splits, folder, watch, say, keep)
    return write_results(model, folder, facts, false_alarms, judged, watch, memory)


def fit_and_calibrate(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    trainer_settings: dict[str, Any],
    folder: Path,
    watch: Stopwatch,
    say: Say = lambda text: None,
    ckpt_path: str | None = None,
    keep: Keep = "model",
    resume: ResumePoint | None = None,
) -> dict[str, Any] | None:
    """Fit on train and calibrate on validation; no other split is touched.

    Writes `model.ckpt` (unless `keep` is "none") and `calibration.json`; arguments as `execute`.

    Returns:
        The false alarms to expect as plain data, None where one image cannot tell.
    """
    post_processor = model.post_processor
    if not isinstance(post_processor, BlobPostProcessor):
        post_processor = BlobPostProcessor()
    datamodule.follow_model(model)
    for split in (TRAIN, VALIDATION):
        check_headers(datamodule, [split])
        warn_of_depths(datamodule, split)
    say("fit")
    with watch.phase("fit"):
        if learns_long(model, trainer_settings):
            check_data(datamodule, (TRAIN, VALIDATION), say)
        engine = _fit(model, datamodule, trainer_settings, folder, say, ckpt_path, resume)
    say("calibrate")
    with watch.phase("calibrate"):
        false_alarms = _calibrate(model, datamodule, post_processor, folder, keep)
    model.post_processor = post_processor
    if keep != "none":
        engine.trainer.save_checkpoint(folder / MODEL, weights_only=True)
    post_processor.calibration.save(folder / CALIBRATION)
    return false_alarms.to_dict() if false_alarms else None


@dataclass(frozen=True)
class Judged:
    """What the test splits gave, and the time that one image takes."""

    evaluations: dict[str, SplitEvaluation]
    rule_scores: dict[str, PixelScores]
    latency: dict[str, Any]


def judge(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    splits: Sequence[str],
    folder: Path,
    watch: Stopwatch,
    say: Say = lambda text: None,
    keep: Keep = "model",
) -> Judged:
    """Score every test split with a model that is fitted and calibrated; arguments as `execute`."""
    datamodule.follow_model(model)
    evaluations, rule_scores = {}, {}
    for split in splits:
        with watch.phase(split):
            found = _judge(model, datamodule, split, folder, say, keep)
            evaluations[split], rule_scores[split] = found
    say("latency")
    return Judged(evaluations, rule_scores, _latency(model, datamodule, splits))


def write_results(
    model: AnomalibModule,
    folder: Path,
    facts: dict[str, Any],
    false_alarms: dict[str, Any] | None,
    judged: Judged,
    watch: Stopwatch,
    memory: PeakMemory,
) -> dict[str, Any]:
    """Write cost, histograms and, last, `metrics.json`; return what the last one holds."""
    write_json(folder / COST, _cost(model, watch, memory, judged.latency))
    add_splits(folder / HISTOGRAMS, {k: v.pixels for k, v in judged.evaluations.items()})
    add_splits(folder / RULE_HISTOGRAMS, judged.rule_scores)
    metrics = {
        **facts,
        "format": FORMAT_VERSION,
        "zoo_version": __version__,
        "bit_depth": model.post_processor.calibration.bit_depth,
        "expected_false_alarms": false_alarms,
        "splits": {split: each.result() for split, each in judged.evaluations.items()},
    }
    write_json(folder / METRICS, metrics)
    return metrics


def _fit(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    settings: dict[str, Any],
    folder: Path,
    say: Say,
    ckpt_path: str | None,
    resume: ResumePoint | None,
) -> RunEngine:
    callbacks = training_callbacks(say, resume)
    engine = RunEngine(with_precision(settings, model), folder, callbacks)
    # A single pass over the images, as memory banks make, has nothing to go on from.
    if resume is not None and learns_long(model, settings) and (found := resume.found()):
        say("fit: going on where it was interrupted")
        ckpt_path = str(found)
    # Calibration comes after the last step, once, on the final weights: not in every epoch.
    model.post_processor = None
    try:
        engine.fit(model=model, datamodule=datamodule, ckpt_path=ckpt_path)
    except SystemExit as error:  # lightning turns Ctrl-C into an exit
        raise KeyboardInterrupt from error
    if engine.trainer.interrupted:
        raise KeyboardInterrupt
    model.to(engine.trainer.strategy.root_device)
    return engine


def _maps(folder: Path, split: str, keep: Keep) -> MapWriter | None:
    return MapWriter(folder, split) if keep == "maps" else None


def _calibrate(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    post_processor: BlobPostProcessor,
    folder: Path,
    keep: Keep,
) -> FalseAlarms | None:
    """Derive the calibration, keep a few cases, and return what it will cost in false alarms."""
    writer = _maps(folder, VALIDATION, keep)
    with ScoreMapSpool() as spool:
        for scored in score_split(model, datamodule, VALIDATION):
            spool.append(scored.score_map, scored.native_size, scored.score)
            if writer:
                writer.append(scored)
        if writer:
            writer.close()
        listed, rule = datamodule.listed(VALIDATION), post_processor.rule
        paths = [sample.image_path for sample in listed]
        depth = {"bit_depth": datamodule.bit_depth}
        detector = TorchPredictor(model, replace(NO_THRESHOLD, **depth))
        with scenes(detector, paths, spool, rule.needs) as made:
            calibration = rule(made, datamodule.source(VALIDATION))
            calibration = post_processor.with_verdict(calibration, spool.scores)
            calibration = replace(calibration, images=image_digests(paths), **depth)
            post_processor.calibration = calibration
            if line := doubt(calibration, spool):
                warnings.warn(f"{datamodule.object_name}: {line}", ZooWarning, stacklevel=2)
            false_alarms = None
            if calibration.image_threshold is None:  # otherwise blobs say nothing of verdicts
                false_alarms = expected_false_alarms(rule, made)
        cases, rule_scores, pixels = CaseCollector(), RuleScores(calibration), PixelScores()
        for sample, score_map, score in zip(listed, spool, spool.scores, strict=True):
            finished = finish(score_map, score_map.shape, calibration, score)
            cases.update(sample.image_path, finished, None, sample.label)
            normal = np.zeros(score_map.shape, bool)
            rule_scores.update(score_map, normal)
            pixels.update(score_map, normal)
        add_splits(folder / HISTOGRAMS, {VALIDATION: pixels})
        add_splits(folder / RULE_HISTOGRAMS, {VALIDATION: rule_scores.pixels})
        cases.save(folder / CASES / VALIDATION, calibration)
        return false_alarms


def _judge(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    split: str,
    folder: Path,
    say: Say,
    keep: Keep,
) -> tuple[SplitEvaluation, PixelScores]:
    """Score one split, and keep a few cases and the scores as the rule sees them."""
    listed = datamodule.listed(split)
    warn_of_depths(datamodule, split)
    calibration = model.post_processor.calibration
    n_inverted = 0
    evaluation, cases, rule_scores = SplitEvaluation(), CaseCollector(), RuleScores(calibration)
    writer = _maps(folder, split, keep)
    scored_images = score_split(model, datamodule, split)
    for index, (sample, scored) in enumerate(zip(listed, scored_images, strict=True)):
        say(f"{split} {index}/{len(listed)}")
        finished = finish(scored.score_map, scored.native_size, calibration, scored.score)
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
            "black is good, so are they inverted?",
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
    calibration = model.post_processor.calibration
    passes = 0

    def work() -> None:
        nonlocal passes
        batch = NativeBatch.collate([items[passes % len(items)]])
        passes += 1
        [scored] = score_batch(model, batch)
        finish(scored.score_map, scored.native_size, calibration)

    return measure_latency(work)


def _cost(
    model: AnomalibModule, watch: Stopwatch, memory: PeakMemory, latency: dict[str, Any]
) -> dict[str, Any]:
    on_gpu = model.device.type == "cuda"
    return {
        "phases": watch.phases,
        "total_s": watch.total_s,
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
