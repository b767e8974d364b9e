"""The figures of one split, with reasons for those that are missing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.metrics import PixelCounts, PixelScores, image_auroc, image_f1_max
from zoo.metrics.bootstrap import interval, resampled_auroc, resampled_f1
from zoo.postprocess.background import normalised
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished
from zoo.runs.documents import NO_MASKS, NO_TRUTH

_MOST_PIXELS = 1 << 16  # of one image
ONE_CLASS = "needs normal and anomalous images"
NO_DEFECT = "no defective pixel in the ground truth"
NO_NORMAL = "no normal pixel in the ground truth"
NO_NORMAL_ONE = "no normal image in the split"
NO_ANOMALOUS = "no anomalous image in the split"
NO_PIXEL = "no pixel is marked, and none is to be"

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
            truth: bool (H, W), all False for a normal image; None where it is not known.
            label: 0 normal, 1 anomalous; None to read it off the truth, if that is known.
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
    def n_normal(self) -> int:
        """Number of images known to be normal."""
        return self._labels.count(0)

    def result(self) -> dict[str, Any]:
        """Return the split's entry in `metrics.json`; beside null values stands the reason."""
        n_normal = self.n_normal
        n_anomalous = self.n_with_label - n_normal
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
            "false_blobs_per_good_image": self.false_blobs / n_normal if n_normal else None,
            "false_alarm_rate": self.false_alarms / n_normal if n_normal else None,
            "detection_rate": self.found / n_anomalous if n_anomalous else None,
            "n_images": self.n_images,
            "n_good": n_normal,
        }
        reasons = dict.fromkeys(("false_blobs_per_good_image", "false_alarm_rate"), NO_NORMAL_ONE)
        reasons |= dict.fromkeys(("segf1", "segf1_low", "segf1_high", "precision"), NO_PIXEL)
        reasons |= dict.fromkeys(("image_auroc", "image_auroc_low", "image_auroc_high"), ONE_CLASS)
        reasons |= {"image_f1_max": NO_ANOMALOUS, "detection_rate": NO_ANOMALOUS}
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


class RuleScores:
    """Scores of one split in units of the thresholds, by truth.

    Args:
        calibration: Whose normalisation is taken.

    Attributes:
        pixels: The histograms.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.pixels = PixelScores()

    def update(self, score_map: np.ndarray, truth: np.ndarray | None) -> None:
        """Count one image.

        Args:
            score_map: Raw scores at native size, (H, W).
            truth: bool (H, W); where it is None nothing is counted.
        """
        if truth is None:
            return
        step = max(1, int(np.ceil(np.sqrt(score_map.size / _MOST_PIXELS))))
        rule = self.calibration
        scores = normalised(score_map, rule.normalisation, rule.spread_floor)
        self.pixels.update(scores[::step, ::step], truth[::step, ::step])
