"""The anomalib post-processor of the zoo: wiring around a calibration rule and `finish`.

Raw scores stay raw: nothing is normalised or clamped, neither here nor in an exported model. In
anomalib's own flow the calibration is derived after each validation epoch, `pred_mask` is a preview
of the finished mask at model size, and `pred_label` says whether the finished mask keeps a blob.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from anomalib.data import Batch, InferenceBatch
from anomalib.post_processing import PostProcessor

from zoo.errors import ZooError
from zoo.post.calibration import Calibration
from zoo.post.finish import finish
from zoo.post.rules import Quantile, Rule
from zoo.post.spool import ScoreMapSpool


class BlobPostProcessor(PostProcessor):
    """Masks from normal images only: a calibration rule, then connected components.

    Args:
        rule: How score maps of normal images become thresholds; `Quantile()` by default.

    Attributes:
        calibration: What the rule derived, or None before it ran. It travels in checkpoints.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        # No statistics of the parent are wanted. Its buffers stay (as NaN): a checkpoint is loaded
        # into whatever post-processor the model builds by default, and must fit that one too.
        super().__init__(enable_normalization=False, enable_thresholding=False)
        self.rule = rule if rule is not None else Quantile()
        self.calibration: Calibration | None = None
        self._spool: ScoreMapSpool | None = None

    def checkpoint_config(self) -> dict[str, Any]:
        """Return the calibration as plain data for the checkpoint."""
        return {"calibration": self.calibration.to_dict() if self.calibration else None}

    def load_checkpoint_config(self, config: dict[str, Any]) -> None:
        """Restore the calibration from a checkpoint."""
        data = config.get("calibration")
        self.calibration = Calibration.from_dict(data) if data else None

    def on_validation_epoch_start(self, *args: Any, **kwargs: Any) -> None:
        """Begin to collect score maps of normal images."""
        self._spool = ScoreMapSpool()

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Batch, *args: Any, **kwargs: Any
    ) -> None:
        """Collect the maps of the normal images of a validation batch."""
        if self._spool is None or getattr(outputs, "anomaly_map", None) is None:
            return
        labels = outputs.gt_label
        for index, (score_map, native_size) in enumerate(_maps(outputs)):
            if labels is None or not bool(labels[index]):
                self._spool.append(score_map, native_size)

    def on_validation_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Derive the calibration from the collected maps."""
        if self._spool is not None and len(self._spool):
            self.calibration = self.rule(self._spool)
        if self._spool is not None:
            self._spool.close()
        self._spool = None

    def post_process_batch(self, batch: Batch) -> None:
        """Set verdicts and preview masks of a batch; score map and score stay raw."""
        if batch.anomaly_map is None:
            return
        if self.calibration is None:
            raise ZooError(
                "the post-processor is not calibrated: fit the model with validation images, "
                "or load a checkpoint that carries a calibration"
            )
        size = tuple(batch.anomaly_map.shape[-2:])
        labels, previews = [], []
        for score_map, native_size in _maps(batch):
            finished = finish(score_map, native_size, self.calibration)
            labels.append(finished.is_anomalous)
            mask = finished.mask.astype(np.uint8)
            previews.append(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA) > 0)
        device = batch.anomaly_map.device
        batch.pred_label = torch.tensor(labels, device=device)
        batch.pred_mask = torch.from_numpy(np.stack(previews)).to(device)  # (B, h, w)

    def forward(self, predictions: InferenceBatch) -> InferenceBatch:
        """Pass raw score map and score through: an exported model leaves the mask to `finish`."""
        score_map, score = predictions.anomaly_map, predictions.pred_score
        if score is None:
            score = torch.amax(score_map, dim=(-2, -1))
        return InferenceBatch(pred_score=score, anomaly_map=score_map)


def _maps(batch: Batch) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """Return each score map of a batch as (h, w) float32 with the native size of its image."""
    score_maps = batch.anomaly_map.detach().float().cpu().numpy()
    score_maps = score_maps.reshape(-1, *score_maps.shape[-2:])  # (B, 1, h, w) or (B, h, w)
    sizes = getattr(batch, "native_size", None) or [tuple(batch.image.shape[-2:])] * len(score_maps)
    return list(zip(score_maps, sizes, strict=True))
