"""Metrics that raw scores survive, for anomalib's own `test`; at model size, and named so.

Anomalib's metrics come from torchmetrics, which squeezes scores outside [0, 1] through a sigmoid:
raw distances of 10 and 20 both become 1 and every ranking is lost. These keep the order. They are
torchmetrics on the outside and `zoo.metrics` on the inside.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from anomalib.metrics import Evaluator
from torchmetrics import Metric

from zoo.data.anomalib_internals import AnomalibMetric
from zoo.metrics import PixelCounts, PixelScores, image_auroc, image_f1_max


class _Streaming(Metric):
    """A torchmetrics metric whose state is one of ours; states of parts add up with `+`."""

    higher_is_better = True
    # With False torchmetrics would merge states of its own kind, of which there are none.
    full_state_update = True

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.state = self._empty()

    def compute(self) -> torch.Tensor:
        """Return the value as a scalar tensor, NaN where it is undefined."""
        value = self._value()
        return torch.tensor(float("nan") if value is None else value)

    def _copy_state_dict(self) -> dict[str, Any]:
        return {"state": self.state}

    def _sync_dist(self, dist_sync_fn: Callable | None = None, process_group: Any = None) -> None:
        states = [None] * torch.distributed.get_world_size(process_group)
        torch.distributed.all_gather_object(states, self.state, process_group)
        self.state = functools.reduce(operator.add, states)


class _OfImages(_Streaming):
    """State: (score, label) of every image."""

    def _empty(self) -> list[tuple[float, int]]:
        return []

    def update(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """Add image scores (B,) and labels (B,)."""
        scores = scores.detach().cpu().float().reshape(-1).tolist()
        # A new list: torchmetrics may hold the old one aside.
        self.state = [
            *self.state,
            *zip(scores, labels.cpu().reshape(-1).int().tolist(), strict=True),
        ]

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        scores, labels = zip(*self.state, strict=True) if self.state else ((), ())
        return np.array(scores), np.array(labels)


class _OfMaps(_Streaming):
    """State: scores of all pixels, in histograms."""

    def _empty(self) -> PixelScores:
        return PixelScores()

    def update(self, score_maps: torch.Tensor, masks: torch.Tensor) -> None:
        """Add score maps and masks, both (B, h, w) or (B, 1, h, w)."""
        for score_map, mask in _pairs(score_maps, masks):
            self.state.update(score_map, mask > 0)


class _OfMasks(_Streaming):
    """State: pixels by mask and truth."""

    def _empty(self) -> PixelCounts:
        return PixelCounts()

    def update(self, predicted: torch.Tensor, masks: torch.Tensor) -> None:
        """Add predicted and true masks, both (B, h, w) or (B, 1, h, w)."""
        for mask, truth in _pairs(predicted, masks):
            self.state.update(mask > 0, truth > 0)

    def _value(self) -> float | None:
        return getattr(self.state, self.counted)


class ImageAuroc(AnomalibMetric, _OfImages):
    """AUROC of image scores, whatever their range."""

    default_fields = ("pred_score", "gt_label")

    def _value(self) -> float | None:
        return image_auroc(*self._arrays())


class ImageF1Max(AnomalibMetric, _OfImages):
    """Largest F1 of one threshold on image scores, labels in hand: a bound."""

    default_fields = ("pred_score", "gt_label")

    def _value(self) -> float | None:
        return image_f1_max(*self._arrays())


class PixelAuroc(AnomalibMetric, _OfMaps):
    """AUROC of raw score maps at model size."""

    default_fields = ("anomaly_map", "gt_mask")

    def _value(self) -> float | None:
        return self.state.pixel_auroc


class OracleSegF1(AnomalibMetric, _OfMaps):
    """Largest SegF1 of one threshold on raw score maps, truth in hand: a bound."""

    default_fields = ("anomaly_map", "gt_mask")

    def _value(self) -> float | None:
        return self.state.oracle_segf1


class AuPro(AnomalibMetric, _OfMaps):
    """Area under per-region overlap of raw score maps, up to a false-positive rate.

    Args:
        limit: The rate; MVTec AD 2 has 0.05, its older tool 0.30.
        fields: See anomalib's metrics, as all further arguments.
    """

    default_fields = ("anomaly_map", "gt_mask")

    def __init__(self, *args: Any, limit: float = 0.05, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit = limit

    def _value(self) -> float | None:
        return self.state.au_pro(self.limit)


class SegF1(AnomalibMetric, _OfMasks):
    """SegF1 of preview masks at model size."""

    default_fields = ("pred_mask", "gt_mask")
    counted = "segf1"


class SegPrecision(AnomalibMetric, _OfMasks):
    """Share of the marked pixels that are defect."""

    default_fields = ("pred_mask", "gt_mask")
    counted = "precision"


class SegRecall(AnomalibMetric, _OfMasks):
    """Share of the defect pixels that are marked."""

    default_fields = ("pred_mask", "gt_mask")
    counted = "recall"


class SegF1AllPositive(AnomalibMetric, _OfMasks):
    """SegF1 of masks that mark everything."""

    default_fields = ("pred_mask", "gt_mask")
    counted = "segf1_all_positive"


class FlaggedFraction(AnomalibMetric, _OfMasks):
    """Share of all pixels that are marked."""

    default_fields = ("pred_mask", "gt_mask")
    counted = "flagged_fraction"
    higher_is_better = None


class RawEvaluator(Evaluator):
    """Anomalib's evaluator with metrics that raw scores survive.

    Whatever is counted in pixels is called `*_model_size`. The numbers that count are measured at
    native size by `zoo bench` and `zoo train`.
    """

    def __init__(self) -> None:
        of_images = {"image_auroc": ImageAuroc(), "image_f1_max": ImageF1Max()}
        of_pixels = {
            "segf1": SegF1(strict=False),
            "precision": SegPrecision(strict=False),
            "recall": SegRecall(strict=False),
            "segf1_all_positive": SegF1AllPositive(strict=False),
            "flagged_fraction": FlaggedFraction(strict=False),
            "oracle_segf1": OracleSegF1(strict=False),
            "pixel_auroc": PixelAuroc(strict=False),
            "au_pro_005": AuPro(limit=0.05, strict=False),
            "au_pro_030": AuPro(limit=0.30, strict=False),
        }
        metrics = of_images | {f"{name}_model_size": each for name, each in of_pixels.items()}
        for name, metric in metrics.items():
            metric.name = name
        super().__init__(test_metrics=list(metrics.values()))


def _pairs(first: torch.Tensor, second: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return arrays (h, w) of the images of a batch, pair by pair."""
    arrays = []
    for tensor in (first, second):
        tensor = tensor.detach().cpu()
        # numpy has no bfloat16.
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        arrays.append(tensor.reshape(-1, *first.shape[-2:]).numpy())
    return list(zip(*arrays, strict=True))
