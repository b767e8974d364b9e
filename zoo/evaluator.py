"""Metrics that raw scores survive, for anomalib's own `test`; at model size, and named so.

Anomalib's metrics come from torchmetrics, which squeezes scores outside [0, 1] through a sigmoid:
raw distances of 10 and 20 both become 1 and every ranking is lost. These keep the order.
"""

from __future__ import annotations

import numpy as np
import torch
from anomalib.metrics import Evaluator
from anomalib.metrics.base import AnomalibMetric
from torchmetrics import Metric

from zoo.metrics import PixelCounts, PixelScores, image_auroc


class _Streaming(Metric):
    """A torchmetrics metric whose state is one of ours."""

    higher_is_better = True
    full_state_update = False

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


class _ImageAuroc(_Streaming):
    def _empty(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return []

    def update(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """Add image scores (B,) and labels (B,)."""
        self.state.append((scores.cpu().float().numpy().ravel(), labels.cpu().numpy().ravel()))

    def _value(self) -> float | None:
        scores, labels = (np.concatenate(part) for part in zip(*self.state, strict=True))
        return image_auroc(scores, labels.astype(int))


class _PixelAuroc(_Streaming):
    def _empty(self) -> PixelScores:
        return PixelScores()

    def update(self, score_maps: torch.Tensor, masks: torch.Tensor) -> None:
        """Add score maps and masks, both (B, h, w) or (B, 1, h, w)."""
        for score_map, mask in _pairs(score_maps, masks):
            self.state.update(score_map, mask > 0)

    def _value(self) -> float | None:
        return self.state.pixel_auroc


class _SegF1(_Streaming):
    def _empty(self) -> PixelCounts:
        return PixelCounts()

    def update(self, predicted: torch.Tensor, masks: torch.Tensor) -> None:
        """Add predicted and true masks, both (B, h, w) or (B, 1, h, w)."""
        for mask, truth in _pairs(predicted, masks):
            self.state.update(mask > 0, truth > 0)

    def _value(self) -> float:
        return self.state.segf1


class ImageAuroc(AnomalibMetric, _ImageAuroc):
    """AUROC of image scores, whatever their range."""

    default_fields = ("pred_score", "gt_label")


class PixelAuroc(AnomalibMetric, _PixelAuroc):
    """AUROC of raw score maps at model size."""

    default_fields = ("anomaly_map", "gt_mask")


class SegF1(AnomalibMetric, _SegF1):
    """SegF1 of preview masks at model size."""

    default_fields = ("pred_mask", "gt_mask")


class RawEvaluator(Evaluator):
    """Anomalib's evaluator with metrics that raw scores survive.

    Reports `image_auroc`, `pixel_auroc_model_size` and `segf1_model_size`. The numbers that count
    are measured at native size by `zoo bench` and `zoo train`.
    """

    def __init__(self) -> None:
        metrics = {
            "image_auroc": ImageAuroc(),
            "pixel_auroc_model_size": PixelAuroc(strict=False),
            "segf1_model_size": SegF1(strict=False),
        }
        for name, metric in metrics.items():
            metric.name = name
        super().__init__(test_metrics=list(metrics.values()))


def _pairs(first: torch.Tensor, second: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    size = first.shape[-2:]
    arrays = [tensor.detach().cpu().reshape(-1, *size).numpy() for tensor in (first, second)]
    return list(zip(*arrays, strict=True))
