"""Anomalib's images of raw score maps: scaled for the eye only, threshold at half scale."""

from __future__ import annotations

from typing import Any

import torch
from anomalib.data import ImageBatch
from anomalib.models import AnomalibModule
from anomalib.visualization import ImageVisualizer

from zoo.methods.post_processor import BlobPostProcessor


class RawVisualizer(ImageVisualizer):
    """Scales a copy of the score maps to [0, 1], alike for all images, before drawing them.

    Anomalib draws maps as they are and wraps values above 255 around.
    """

    @classmethod
    def like(cls, visualizer: ImageVisualizer) -> RawVisualizer:
        """Return one that draws what another one of anomalib's draws."""
        own = cls()
        vars(own).update(vars(visualizer))
        return own

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: ImageBatch, *args: Any
    ) -> None:
        """Draw a test batch."""
        shown = _for_display(pl_module, batch)
        super().on_test_batch_end(trainer, pl_module, outputs, shown, *_indices(args))

    def on_predict_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: ImageBatch, *args: Any
    ) -> None:
        """Draw a predicted batch."""
        shown = _for_display(pl_module, batch)
        super().on_predict_batch_end(trainer, pl_module, outputs, shown, *_indices(args))


def set_scale(model: AnomalibModule) -> None:
    """Let a stock model that keeps raw scores draw them scaled; other images stay as they are."""
    visualizer: Any = model.visualizer
    if isinstance(model.post_processor, BlobPostProcessor) and type(visualizer) is ImageVisualizer:
        own: Any = RawVisualizer.like(visualizer)
        model.visualizer = own


def _for_display(model: AnomalibModule, batch: ImageBatch) -> ImageBatch:
    own = model.post_processor
    calibration = own.calibration if isinstance(own, BlobPostProcessor) else None
    if calibration is None or batch.anomaly_map is None:
        return batch
    scaled = calibration.for_display(batch.anomaly_map.cpu().float().numpy())
    return batch.update(in_place=False, anomaly_map=torch.from_numpy(scaled))


def _indices(args: tuple[Any, ...]) -> tuple[int, ...]:
    return args if args else (0,)
