"""A fitted torch model as a predictor, and raw score maps from any anomalib model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from anomalib.data import Batch
from anomalib.models import AnomalibModule
from torch import nn
from torchvision.tv_tensors import Image

from zoo.data.dataset import NativeBatch, native_sizes
from zoo.data.tiling.pre_processor import ScaledPreProcessor
from zoo.data.transforms import leading_resize, pre_processing_of, to_model_size
from zoo.postprocess.calibration import Calibration
from zoo.predict.predictor import FROM_MEMORY, Predictor, Scored
from zoo.utils.errors import ZooError

TestStep = Callable[[Batch, int], Batch]  # lightning's type allows a mere tensor as well

_locks: WeakKeyDictionary[AnomalibModule, RLock] = WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_locks.clear)  # a thread that held one is not in the child


class TorchPredictor(Predictor):
    """A fitted model with its calibration, as `zoo.load` returns it for a run.

    Args:
        model: A fitted anomalib module.
        calibration: Thresholds and blob limits.
    """

    def __init__(self, model: AnomalibModule, calibration: Calibration) -> None:
        self.model = model.eval()
        self.calibration = calibration
        self._resize = leading_resize(pre_processing_of(model.pre_processor).transform)
        self.check_process()

    def check_process(self) -> None:
        """See `Predictor`."""
        _check_process(self.model)

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
        # As a data loader lays batches out: some models take views of what follows from them.
        stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()  # (B,3,h,w)
        batch = NativeBatch(
            image=Image(stacked.to(torch.float32) / 255),
            image_path=[str(path) for path in paths or [FROM_MEMORY] * len(images)],
            mask_path=[""] * len(images),
            native_size=list(native_sizes),
        )
        return score_batch(self.model, batch)


def score_batch(model: AnomalibModule, batch: Batch) -> list[Scored]:
    """Pre-process and predict one batch as `Engine.test` does, without any post-processing.

    Raises:
        ZooError: The method gives no map, or scores that are not finite; or this process was forked
            from one that had torch's threads.
    """
    _check_process(model)
    with _locks.setdefault(model, RLock()), torch.inference_mode():
        assert batch.image is not None
        batch.image = batch.image.to(model.device)
        return scored_images(predict_batch(model, batch), model.pre_processor)


def predict_batch(model: AnomalibModule, batch: Batch) -> Batch:
    """Pre-process a batch and let the model predict it, in tiles if its pre-processor cuts some."""
    test_step = cast(TestStep, model.test_step)
    pre_processor: Any = model.pre_processor  # its hooks need no trainer, whatever their types are
    if isinstance(pre_processor, ScaledPreProcessor):
        return pre_processor.predict(batch, lambda parts: test_step(parts, 0))
    if pre_processor is not None:
        pre_processor.on_test_batch_start(None, model, batch, 0)
    return test_step(batch, 0)


def scored_images(batch: Batch, pre_processor: nn.Module | None = None) -> list[Scored]:
    """Return raw score map and score of each image of a predicted batch, as copies on the CPU.

    Args:
        batch: Maps of shape (B, 1, h, w) or (B, h, w); scores default to the maxima of the maps.
        pre_processor: Of the model; it may reduce maps.

    Raises:
        ZooError: There is no map, or scores are not finite.
    """
    if batch.anomaly_map is None:
        raise ZooError("the method gives image scores but no score map: nothing to segment with")
    stacked = batch.anomaly_map.detach().float()
    maps = list(stacked.reshape(-1, *stacked.shape[-2:]))
    sizes = native_sizes(batch)
    if isinstance(pre_processor, ScaledPreProcessor):
        maps = [pre_processor.reduced(*each) for each in zip(maps, sizes, strict=True)]
    # Copies: the tensor may be one that the method uses again.
    score_maps = [each.cpu().numpy().copy() for each in maps]
    scores: Iterable[float] = [each.max() for each in score_maps]
    if (pred_score := getattr(batch, "pred_score", None)) is not None:
        scores = pred_score.detach().float().cpu().numpy().reshape(-1)
    paths = getattr(batch, "image_path", None) or [FROM_MEMORY] * len(maps)
    return [
        Scored(Path(path), (size[0], size[1]), score_map, float(score))
        for path, size, score_map, score in zip(paths, sizes, score_maps, scores, strict=True)
    ]


def _check_process(model: AnomalibModule) -> None:
    """Raise where torch's threads, or its device, stayed behind in the process that was forked."""
    # Called first: only then does torch keep to its number of threads in a thread that is new.
    n_threads = torch.get_num_threads()
    is_forked = _first_process() != os.getpid()
    if is_forked and (n_threads > 1 or model.device.type != "cpu"):
        raise ZooError(
            "this process was forked after torch had computed, and would wait for threads that it "
            "does not have: start processes with multiprocessing.get_context('spawn'), and load "
            "the predictor in each"
        )


@cache
def _first_process() -> int:
    """Return the process that called this first; those forked from it inherit the answer."""
    return os.getpid()
