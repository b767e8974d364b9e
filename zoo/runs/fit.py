"""Fit on train and calibrate on validation; no other split is touched."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from anomalib.models import AnomalibModule

from zoo.data.datamodule import NativeDataModule
from zoo.data.known_images import image_digests
from zoo.data.splits import TRAIN, VALIDATION
from zoo.methods.method import score_split
from zoo.methods.post_processor import BlobPostProcessor, calibration_of
from zoo.metrics import PixelScores, add_splits
from zoo.postprocess.calibration import NO_THRESHOLD, doubt
from zoo.postprocess.false_alarms import FalseAlarms, expected_false_alarms
from zoo.postprocess.finish import finish
from zoo.postprocess.score_maps import ScoreMapSpool
from zoo.predict.scenes import scenes
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.experiment import Keep
from zoo.runs.cases import CaseCollector
from zoo.runs.figures import RuleScores
from zoo.runs.folder import CALIBRATION, CASES, HISTOGRAMS, MODEL, RULE_HISTOGRAMS
from zoo.runs.maps import MapWriter
from zoo.runs.resume import ResumePoint
from zoo.runs.training import (
    Report,
    RunEngine,
    learns_long,
    training_callbacks,
    with_precision,
)
from zoo.utils.errors import ZooWarning
from zoo.utils.process import quiet_libraries
from zoo.utils.timing import Stopwatch


def fit_and_calibrate(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    trainer_settings: dict[str, Any],
    folder: Path,
    watch: Stopwatch,
    report: Report = lambda text: None,
    ckpt_path: str | None = None,
    keep: Keep = "model",
    resume: ResumePoint | None = None,
) -> dict[str, Any] | None:
    """Fit on train and calibrate on validation; no other split is touched.

    Writes `model.ckpt` (unless `keep` is "none") and `calibration.json`; arguments as
    `zoo.runs.run.run` has them.

    Returns:
        The false alarms to expect as plain data, None where one image cannot tell.
    """
    post_processor = model.post_processor
    if not isinstance(post_processor, BlobPostProcessor):
        post_processor = BlobPostProcessor()
    datamodule.follow_model(model)
    for split in (TRAIN, VALIDATION):
        datamodule.check_headers([split])
        datamodule.warn_of_depths(split)
    report("fit")
    with watch.phase("fit"):
        if learns_long(model, trainer_settings):
            datamodule.check_images((TRAIN, VALIDATION), report)
        engine = _fit(model, datamodule, trainer_settings, folder, report, ckpt_path, resume)
    report("calibrate")
    with watch.phase("calibrate"):
        false_alarms = calibrate(model, datamodule, post_processor, folder, keep)
    model.post_processor = post_processor
    if keep != "none":
        engine.trainer.save_checkpoint(folder / MODEL, weights_only=True)
    calibration_of(model).save(folder / CALIBRATION)
    return false_alarms.to_dict() if false_alarms else None


def _fit(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    settings: dict[str, Any],
    folder: Path,
    report: Report,
    ckpt_path: str | None,
    resume: ResumePoint | None,
) -> RunEngine:
    callbacks = training_callbacks(report, resume)
    engine = RunEngine(with_precision(settings, model), folder, callbacks)
    # A single pass over the images, as memory banks make, has nothing to go on from.
    if resume is not None and learns_long(model, settings) and (found := resume.found()):
        report("fit: going on where it was interrupted")
        ckpt_path = str(found)
    # Calibration comes after the last step, once, on the final weights: not in every epoch.
    model.post_processor = None
    try:
        with quiet_libraries():
            engine.fit(model=model, datamodule=datamodule, ckpt_path=ckpt_path)
    except SystemExit as error:  # lightning turns Ctrl-C into an exit
        raise KeyboardInterrupt from error
    if engine.trainer.interrupted:
        raise KeyboardInterrupt
    model.to(engine.trainer.strategy.root_device)
    return engine


def calibrate(
    model: AnomalibModule,
    datamodule: NativeDataModule,
    post_processor: BlobPostProcessor,
    folder: Path,
    keep: Keep,
) -> FalseAlarms | None:
    """Derive the calibration, keep a few cases, and return what it will cost in false alarms."""
    writer = MapWriter(folder, VALIDATION) if keep == "maps" else None
    with ScoreMapSpool() as spool:
        for scored in score_split(model, datamodule, VALIDATION):
            spool.append(scored.score_map, scored.native_size)
            if writer:
                writer.append(scored)
        if writer:
            writer.close()
        listed, rule = datamodule.listed(VALIDATION), post_processor.rule
        paths = [sample.image_path for sample in listed]
        depth = datamodule.bit_depth
        detector = TorchPredictor(model, replace(NO_THRESHOLD, bit_depth=depth))
        with scenes(detector, paths, spool, rule.needs) as made:
            calibration = rule(made, datamodule.source(VALIDATION))
            calibration = replace(calibration, images=image_digests(paths), bit_depth=depth)
            post_processor.calibration = calibration
            if line := doubt(calibration, spool):
                warnings.warn(f"{datamodule.object_name}: {line}", ZooWarning, stacklevel=2)
            false_alarms = expected_false_alarms(rule, made)
        cases, rule_scores, pixels = CaseCollector(), RuleScores(calibration), PixelScores()
        for sample, score_map in zip(listed, spool, strict=True):
            finished = finish(score_map, score_map.shape, calibration)
            cases.update(sample.image_path, finished, None, sample.label)
            normal = np.zeros(score_map.shape, bool)
            rule_scores.update(score_map, normal)
            pixels.update(score_map, normal)
        add_splits(folder / HISTOGRAMS, {VALIDATION: pixels})
        add_splits(folder / RULE_HISTOGRAMS, {VALIDATION: rule_scores.pixels})
        cases.save(folder / CASES / VALIDATION, calibration)
        return false_alarms
