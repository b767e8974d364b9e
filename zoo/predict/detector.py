"""A fitted method as a programmer wants it: pictures in, masks at their own size out.

No trainer and no temporary files. Reading, resizing and scoring are the very functions that runs
use, so that a mask here is the mask that was judged there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from anomalib.models import AnomalibModule

from zoo.data.dataset import to_model_size
from zoo.data.native import leading_resize
from zoo.postprocess.calibration import Calibration
from zoo.predict.prediction import Scored
from zoo.predict.predictor import Predictor
from zoo.predict.scoring import check_process, score_pixels


class TorchPredictor(Predictor):
    """A fitted model with its calibration; made by `zoo.load`.

    Args:
        model: A fitted anomalib module.
        calibration: Thresholds and blob limits.
    """

    def __init__(self, model: AnomalibModule, calibration: Calibration) -> None:
        self.model = model.eval()
        self.calibration = calibration
        self._resize = leading_resize(getattr(model.pre_processor, "transform", None))
        self.check_process()

    def check_process(self) -> None:
        """See `Predictor`."""
        check_process(self.model)

    def at_model_size(self, pixels: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        return to_model_size(pixels, self._resize)

    def score_images(
        self,
        images: Sequence[np.ndarray],
        native_sizes: Sequence[tuple[int, int]],
        paths: Sequence[Path] | None = None,
    ) -> list[Scored]:
        """See `Predictor`."""
        return score_pixels(self.model, images, native_sizes, paths)
