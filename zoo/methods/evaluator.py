"""Metrics that raw scores survive, for anomalib's own `test`; at model size, and named so.

Torchmetrics squeezes scores outside [0, 1] through a sigmoid: distances of 10 and 20 become 1.
"""

from __future__ import annotations

import functools
import operator
from abc import abstractmethod
from collections.abc import Callable
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np
import torch
from anomalib.metrics import Evaluator
from torchmetrics import Metric

from zoo.data.anomalib_internals import AnomalibMetric
from zoo.metrics import PixelCounts, PixelScores, image_auroc, image_f1_max


class _Streaming(Metric):
    """A torchmetrics metric whose state is one of ours; states of parts add up with `+`.

    Args:
        value: From the state to the metric's value, None where it is undefined; can be pickled.
    """

    # With False torchmetrics would merge states of its own kind, of which there are none.
    full_state_update = True

    def __init__(self, value: Callable[[Any], float | None]) -> None:
        super().__init__()
        self.value = value
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.state = self._empty()

    def compute(self) -> torch.Tensor:
        """Return the value as a scalar tensor, NaN where it is undefined."""
        value = self.value(self.state)
        return torch.tensor(float("nan") if value is None else value)

    @abstractmethod
    def _empty(self) -> Any: ...

    def _copy_state_dict(self) -> dict[str, Any]:
        return {"state": self.state}

    def _sync_dist(
        self, dist_sync_fn: Callable[..., Any] | None = None, process_group: Any = None
    ) -> None:
        states: list[Any] = [None] * torch.distributed.get_world_size(process_group)
        torch.distributed.all_gather_object(states, self.state, process_group)
        self.state = functools.reduce(operator.add, states)


class _Images(_Streaming):
    def _empty(self) -> list[tuple[float, int]]:
        return []

    def update(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """Add image scores (B,) and labels (B,)."""
        values = scores.detach().cpu().float().reshape(-1).tolist()
        pairs = zip(values, labels.cpu().reshape(-1).int().tolist(), strict=True)
        self.state = [*self.state, *pairs]  # a new list: torchmetrics may hold the old one aside


class _Maps(_Streaming):
    def _empty(self) -> PixelScores:
        return PixelScores()

    def update(self, score_maps: torch.Tensor, masks: torch.Tensor) -> None:
        """Add score maps and masks, both (B, h, w) or (B, 1, h, w)."""
        for score_map, mask in _pairs(score_maps, masks):
            self.state.update(score_map, mask > 0)


class _Masks(_Streaming):
    def _empty(self) -> PixelCounts:
        return PixelCounts()

    def update(self, predicted: torch.Tensor, masks: torch.Tensor) -> None:
        """Add predicted and true masks, both (B, h, w) or (B, 1, h, w)."""
        for mask, truth in _pairs(predicted, masks):
            self.state.update(mask > 0, truth > 0)


class ImageMetric(AnomalibMetric, _Images):  # type: ignore[misc]  # anomalib unpacks batches
    """A metric of image scores, whatever their range; its state is the (score, label) of each."""

    default_fields = ("pred_score", "gt_label")


class MapMetric(AnomalibMetric, _Maps):  # type: ignore[misc]  # anomalib unpacks batches
    """A metric of raw score maps at model size; its state is `PixelScores`."""

    default_fields = ("anomaly_map", "gt_mask")


class MaskMetric(AnomalibMetric, _Masks):  # type: ignore[misc]  # anomalib unpacks batches
    """A metric of preview masks at model size; its state is `PixelCounts`."""

    default_fields = ("pred_mask", "gt_mask")


class RawEvaluator(Evaluator):
    """Anomalib's evaluator with metrics that raw scores survive.

    Whatever is counted in pixels is called `*_model_size`. The numbers that count are measured at
    native size by `zoo bench` and `zoo train`.
    """

    def __init__(self) -> None:
        counted = ("segf1", "precision", "recall", "segf1_all_positive", "flagged_fraction")
        metrics: dict[str, Any] = {
            "image_auroc": ImageMetric(value=functools.partial(_of_images, image_auroc)),
            "image_f1_max": ImageMetric(value=functools.partial(_of_images, image_f1_max)),
        }
        for name in counted:
            metrics[f"{name}_model_size"] = MaskMetric(value=attrgetter(name), strict=False)
        for name, value in {
            "oracle_segf1": attrgetter("oracle_segf1"),
            "pixel_auroc": attrgetter("pixel_auroc"),
            "au_pro_005": methodcaller("au_pro", 0.05),
            "au_pro_030": methodcaller("au_pro", 0.30),
        }.items():
            metrics[f"{name}_model_size"] = MapMetric(value=value, strict=False)
        for name, metric in metrics.items():
            metric.name = name
        super().__init__(test_metrics=list(metrics.values()))


def _of_images(
    metric: Callable[[np.ndarray, np.ndarray], float | None], state: list[tuple[float, int]]
) -> float | None:
    scores, labels = zip(*state, strict=True) if state else ((), ())
    return metric(np.array(scores), np.array(labels))


def _pairs(first: torch.Tensor, second: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return arrays (h, w) of the images of a batch, pair by pair."""
    arrays = []
    for tensor in (first, second):
        tensor = tensor.detach().cpu()
        # numpy has no bfloat16.
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        arrays.append(tensor.reshape(-1, *first.shape[-2:]).numpy())
    return list(zip(*arrays, strict=True))
