"""Evaluate test splits: finished masks and raw maps at native size, image by image."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models import AnomalibModule

from zoo.data.datamodule import NativeDataModule
from zoo.data.dataset import NativeBatch
from zoo.data.masks import looks_inverted
from zoo.data.splits import VALIDATION
from zoo.methods.method import score_split
from zoo.metrics import PixelCounts, PixelScores, image_auroc, image_f1_max
from zoo.metrics.bootstrap import interval, resampled_auroc, resampled_f1
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished, finish
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import score_batch
from zoo.recipes.experiment import Keep
from zoo.runs.cases import CaseCollector
from zoo.runs.check_data import warn_of_depths
from zoo.runs.checkpoint import calibration_of
from zoo.runs.documents import NO_MASKS, NO_TRUTH
from zoo.runs.fit import Say
from zoo.runs.folder import CASES
from zoo.runs.maps import MapWriter
from zoo.runs.rule_scores import RuleScores
from zoo.utils.errors import ZooWarning
from zoo.utils.timing import PeakMemory, Stopwatch, measure_latency, processor_name, versions

ONE_CLASS = "needs good and defective images"
NO_DEFECT = "no defective pixel in the ground truth"
NO_NORMAL = "no normal pixel in the ground truth"
NO_GOOD = "no good image in the split"
NO_BAD = "no defective image in the split"
NO_PIXEL = "no pixel is marked, and none is to be"

_LATENCY_IMAGES = 4
_OF_ANY_IMAGE = {"flagged_fraction", "n_images"}
_OF_LABELS = {
    "image_auroc",
    "image_auroc_low",
    "image_auroc_high",
    "image_f1_max",
    "false_blobs_per_good_image",
    "false_alarm_rate",
    "detection_rate",
    "n_good",
}


@dataclass
class SplitEvaluation:
    """Counters of one object and split; constant memory but for one score per image.

    Attributes:
        counts: Pixels by mask and truth.
        pixels: Histograms of raw scores by truth.
    """

    counts: PixelCounts = field(default_factory=PixelCounts)
    pixels: PixelScores = field(default_factory=PixelScores)
    n_images: int = 0
    n_with_truth: int = 0
    n_with_label: int = 0
    flagged_px: int = 0
    total_px: int = 0
    false_blobs: int = 0
    false_alarms: int = 0
    found: int = 0
    _pixels: list[tuple[int, int, int]] = field(default_factory=list)  # of images with truth
    _groups: list[Hashable] = field(default_factory=list)  # of the same images
    _scores: list[float] = field(default_factory=list)
    _label_groups: list[Hashable] = field(default_factory=list)
    _labels: list[int] = field(default_factory=list)

    def update(
        self,
        finished: Finished,
        score: float,
        truth: np.ndarray | None,
        label: int | None = None,
        group: str | None = None,
    ) -> None:
        """Count one image.

        Args:
            finished: Mask, blobs and raw score map at native size (H, W).
            score: The method's image score.
            truth: bool (H, W), all False for a good image; None where it is not known.
            label: 0 good, 1 defective; None to read it off the truth, if that is known.
            group: The physical item that the image shows; None for one of its own.
        """
        self.n_images += 1
        item = group or self.n_images
        self.flagged_px += int(np.count_nonzero(finished.mask))
        self.total_px += finished.mask.size
        if truth is not None:
            self.n_with_truth += 1
            one = PixelCounts()
            one.update(finished.mask, truth)
            self.counts += one
            self._pixels.append((one.tp, one.fp, one.fn))
            self._groups.append(item)
            self.pixels.update(finished.score_map, truth)
            label = int(truth.any()) if label is None else label
        if label is None:
            return
        self.n_with_label += 1
        self._scores.append(score)
        self._labels.append(label)
        self._label_groups.append(item)
        if label:
            self.found += int(finished.is_anomalous)
        else:
            self.false_blobs += len(finished.blobs)
            self.false_alarms += int(finished.is_anomalous)

    @property
    def n_good(self) -> int:
        """Number of images known to be good."""
        return self._labels.count(0)

    def result(self) -> dict[str, Any]:
        """Return the split's entry in `metrics.json`; beside null values stands the reason."""
        n_good, n_bad = self.n_good, self.n_with_label - self.n_good
        nothing = np.empty(0)
        pixels, scores, labels = map(np.array, (self._pixels, self._scores, self._labels))
        segf1s = resampled_f1(self._groups, pixels) if self._pixels else nothing
        aurocs = resampled_auroc(self._label_groups, scores, labels) if self._labels else nothing
        values: dict[str, Any] = {
            "segf1": self.counts.segf1,
            **_bounds("segf1", segf1s),
            "precision": self.counts.precision,
            "recall": self.counts.recall,
            "oracle_segf1": self.pixels.oracle_segf1,
            "segf1_all_positive": self.counts.segf1_all_positive,
            "flagged_fraction": self.flagged_px / self.total_px if self.total_px else None,
            "image_auroc": image_auroc(scores, labels),
            **_bounds("image_auroc", aurocs),
            "image_f1_max": image_f1_max(scores, labels),
            "pixel_auroc": self.pixels.pixel_auroc,
            "au_pro_005": self.pixels.au_pro(0.05),
            "au_pro_030": self.pixels.au_pro(0.30),
            "false_blobs_per_good_image": self.false_blobs / n_good if n_good else None,
            "false_alarm_rate": self.false_alarms / n_good if n_good else None,
            "detection_rate": self.found / n_bad if n_bad else None,
            "n_images": self.n_images,
            "n_good": n_good,
        }
        reasons = dict.fromkeys(("false_blobs_per_good_image", "false_alarm_rate"), NO_GOOD)
        reasons |= dict.fromkeys(("segf1", "segf1_low", "segf1_high", "precision"), NO_PIXEL)
        reasons |= dict.fromkeys(("image_auroc", "image_auroc_low", "image_auroc_high"), ONE_CLASS)
        reasons |= {"image_f1_max": NO_BAD, "detection_rate": NO_BAD}
        if self.n_with_truth < self.n_images:
            labelled = self.n_with_label == self.n_images
            known = _OF_ANY_IMAGE | (_OF_LABELS if labelled else set())
            reason = NO_MASKS if labelled else NO_TRUTH
            reasons |= {key: reason for key in values if key not in known}
            values = {key: value if key in known else None for key, value in values.items()}
        one_kind = NO_NORMAL if self.counts.tp + self.counts.fn else NO_DEFECT
        missing = {
            key: reasons.get(key, one_kind) for key, value in values.items() if value is None
        }
        return {**values, "reasons": missing}


def _bounds(name: str, resampled: np.ndarray) -> dict[str, float | None]:
    low, high = interval(resampled) or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


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
    say: Say,
    keep: Keep = "model",
) -> Evaluation:
    """Score every test split with a model that is fitted and calibrated.

    Args:
        model: In evaluation mode, with its calibration.
        datamodule: The data.
        splits: Names of test splits.
        folder: Of the run; cases are written there, and maps if they are kept.
        stopwatch: Gets one phase per split.
        say: Receives what is being done.
        keep: See `Experiment`.
    """
    datamodule.follow_model(model)
    calibration = calibration_of(model)
    evaluations, rule_scores = {}, {}
    for split in splits:
        warn_of_depths(datamodule, split)
        writer = MapWriter(folder, split) if keep == "maps" else None
        with stopwatch.phase(split):
            evaluations[split], rule_scores[split] = evaluate_split(
                score_split(model, datamodule, split),
                datamodule,
                split,
                calibration,
                folder,
                say,
                writer,
            )
    say("latency")
    return Evaluation(evaluations, rule_scores, _latency(model, datamodule, splits))


def evaluate_split(
    scored_images: Iterable[Scored],
    datamodule: NativeDataModule,
    split: str,
    calibration: Calibration,
    folder: Path,
    say: Say,
    writer: MapWriter | None = None,
) -> tuple[SplitEvaluation, PixelScores]:
    """Evaluate raw maps of one split, wherever they come from, and keep a few cases.

    Args:
        scored_images: One raw map per image of the split, in its order.
        datamodule: Lists the images and their truth.
        split: Name of the split.
        calibration: Makes masks of maps.
        folder: Of the run; cases are written there.
        say: Receives how far it is.
        writer: Keeps the maps, if they shall be kept.

    Returns:
        The split's figures, and histograms of scores as the threshold rule sees them.
    """
    listed, n_inverted = datamodule.listed(split), 0
    evaluation, cases, rule_scores = SplitEvaluation(), CaseCollector(), RuleScores(calibration)
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
