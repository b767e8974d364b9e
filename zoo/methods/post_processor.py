"""The anomalib post-processor of the zoo: wiring around a calibration rule and `finish`.

Raw scores stay raw. In anomalib's own flow the calibration is derived after each validation epoch,
`pred_mask` is a preview of the finished mask at model size, and `pred_label` tells whether the
finished mask keeps a blob.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import ceil, floor
from typing import Any

import cv2
import numpy as np
import torch
from anomalib.data import Batch, InferenceBatch
from anomalib.models import AnomalibModule
from anomalib.post_processing import PostProcessor

from zoo.data.datamodule import NativeDataModule
from zoo.methods.engine_images import EngineImages
from zoo.postprocess.calibration import Calibration, doubt
from zoo.postprocess.finish import Finished, finish
from zoo.postprocess.rules import Adaptive, Rule
from zoo.postprocess.score_maps import ScoreMapSpool
from zoo.predict.torch_predictor import scored_images
from zoo.utils.errors import ZooError, ZooWarning


class BlobPostProcessor(PostProcessor):
    """Masks from normal images only: a calibration rule, then connected components.

    Args:
        rule: How score maps of normal images become thresholds; `Adaptive()` by default.

    Attributes:
        calibration: What the rule derived, or None before it ran. It travels in checkpoints.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        # No statistics of the parent are wanted. Its buffers stay (as NaN): a checkpoint is loaded
        # into whatever post-processor the model builds by default, and must fit that one too.
        super().__init__(enable_normalization=False, enable_thresholding=False)
        self.rule = rule if rule is not None else Adaptive()
        self.calibration: Calibration | None = None
        self._spool: ScoreMapSpool | None = None
        self._has_warned = False
        self._images = EngineImages()
        self._is_stale = True  # the model has learnt since it was calibrated
        self._bit_depth: int | None = None  # of the data

    def checkpoint_config(self) -> dict[str, Any]:
        """Return the calibration as plain data for the checkpoint."""
        return {"calibration": self.calibration.to_dict() if self.calibration else None}

    def load_checkpoint_config(self, config: dict[str, Any]) -> None:
        """Restore the calibration from a checkpoint."""
        data = config.get("calibration")
        self.calibration = Calibration.from_dict(data) if data else None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Decide which images calibrate, and print it."""
        if stage in ("fit", "validate"):
            self._images = EngineImages(trainer, pl_module, fitting=stage == "fit")
            datamodule = trainer.datamodule
            is_native = isinstance(datamodule, NativeDataModule)
            self._bit_depth = datamodule.bit_depth if is_native else None
            self._is_stale = True

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        """Give back what was held out of train."""
        self._images.give_back()
        self._images = EngineImages()

    on_exception = teardown

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Note that the model has learnt."""
        self._is_stale = True

    def on_validation_epoch_start(self, *args: Any, **kwargs: Any) -> None:
        """Begin to collect score maps of normal images."""
        self._spool = ScoreMapSpool()

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Collect the maps of the calibration images of a validation batch."""
        if self._spool is None or not isinstance(outputs, Batch) or outputs.anomaly_map is None:
            return
        scored = scored_images(outputs)
        for admitted, each in zip(self._images.admits(outputs), scored, strict=True):
            if admitted:
                self._spool.append(each.score_map, each.native_size)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Derive the calibration from the collected maps."""
        if self._spool is None:
            return
        with self._spool as spool:
            if len(spool):
                self._derive(spool)
        self._spool = None
        if not trainer.sanity_checking:
            self._calibrate_on_held_out(pl_module)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict) -> None:
        """Calibrate the weights that are about to be saved."""
        from zoo.methods.method import hooks_of  # whose base class makes post-processors

        if hooks_of(pl_module).is_fitted:
            self._calibrate_on_held_out(pl_module)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Calibrate the final weights."""
        self._calibrate_on_held_out(pl_module)

    def _calibrate_on_held_out(self, model: AnomalibModule) -> None:
        """Derive the calibration from images held out of train, if the model has learnt since."""
        if not (self._images.held_out and self._is_stale):
            return
        with ScoreMapSpool() as spool:
            for scored in self._images.scores(model):
                spool.append(scored.score_map, scored.native_size)
            self._derive(spool)
        self._is_stale = False

    def _derive(self, spool: ScoreMapSpool) -> None:
        """Derive the calibration; relit images and synthetic defects are only made by our runs."""
        rule = self.rule.map_only()
        if rule is not self.rule and not self._has_warned:
            print(
                f"calibration: {type(rule).__name__} stands in for {type(self.rule).__name__}, "
                "whose relit or painted images only zoo train, bench and fit make"
            )
            self._has_warned = True
        calibration = replace(rule(spool, self._images.source), bit_depth=self._bit_depth)
        if line := doubt(calibration, spool):
            warnings.warn(line, ZooWarning, stacklevel=2)
        self.calibration = calibration

    def post_process_batch(self, batch: Batch) -> None:
        """Set labels and preview masks of a batch; score map and score stay raw."""
        if batch.anomaly_map is None:
            return
        if self.calibration is None:
            raise ZooError(
                "the post-processor is not calibrated: fit the model with validation images, "
                "or load a checkpoint that carries a calibration"
            )
        size = tuple(batch.anomaly_map.shape[-2:])
        labels, previews = [], []
        for scored in scored_images(batch):
            finished = finish(scored.score_map, scored.native_size, self.calibration)
            labels.append(finished.is_anomalous)
            previews.append(_preview(finished, size))
        device = batch.anomaly_map.device
        batch.pred_label = torch.tensor(labels, device=device)
        batch.pred_mask = torch.from_numpy(np.stack(previews)).to(device)  # (B, h, w)

    def forward(self, predictions: InferenceBatch) -> InferenceBatch:
        """Pass raw score map and score through: an exported model leaves the mask to `finish`."""
        score_map, score = predictions.anomaly_map, predictions.pred_score
        if score is None and score_map is not None:
            score = torch.amax(score_map, dim=(-2, -1))
        return InferenceBatch(pred_score=score, anomaly_map=score_map)


def _preview(finished: Finished, size: tuple[int, int]) -> np.ndarray:
    """Return a mask at model size, bool (h, w): pixels that it half covers, and one per blob."""
    mask = finished.mask.astype(np.float32)
    covered = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)  # shares, 0 to 1
    preview = covered >= 0.5
    down, across = (own / native for own, native in zip(size, mask.shape, strict=True))
    for blob in finished.blobs:
        x, y, width, height = blob.box
        rows = slice(floor(y * down), ceil((y + height) * down))
        columns = slice(floor(x * across), ceil((x + width) * across))
        part = preview[rows, columns]
        if not part.any():  # a blob that is smaller than a pixel of the model
            part.flat[covered[rows, columns].argmax()] = True
    return preview


def calibration_of(model: AnomalibModule) -> Calibration:
    """Return the calibration of a model's post-processor.

    Raises:
        ZooError: It has none.
    """
    post_processor = model.post_processor
    if not isinstance(post_processor, BlobPostProcessor) or post_processor.calibration is None:
        raise ZooError(
            f"{type(model).__name__} is not calibrated, so that its graph could make no mask: "
            "fit it with zoo train, fit or bench, and give that checkpoint"
        )
    return post_processor.calibration
