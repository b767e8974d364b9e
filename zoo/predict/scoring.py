"""Raw score maps from any anomalib model, image by image, as its own test loop makes them.

Threads may share a model: they take turns, since whatever a method or a backbone keeps on itself
while it computes (features that hooks collect, say) belongs to one batch. Torch spreads each batch
over its own threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from threading import RLock
from weakref import WeakKeyDictionary

import numpy as np
import torch
from anomalib.data import Batch
from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from torchvision.tv_tensors import Image

from zoo.data.batch import NativeBatch, native_sizes
from zoo.data.native import NativeDataModule
from zoo.data.tiling.pre_processor import ScaledPreProcessor
from zoo.predict.prediction import Scored
from zoo.predict.predictor import FROM_MEMORY, check_finite
from zoo.utils.errors import ZooError

_turns: WeakKeyDictionary[AnomalibModule, RLock] = WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turns.clear)  # whoever held one is not in the child


def score_batch(model: AnomalibModule, batch: Batch) -> list[Scored]:
    """Pre-process and predict one batch as `Engine.test` does, short of any post-processing.

    Raises:
        ZooError: The method gives no map, or a map with scores that are not finite; or this process
            was forked from one that had torch's threads.
    """
    check_process(model)
    with _turns.setdefault(model, RLock()), torch.inference_mode():
        batch.image = batch.image.to(model.device)
        return list(_unpack(predict_batch(model, batch), model.pre_processor))


def check_process(model: AnomalibModule) -> None:
    """Raise where torch's threads, or its device, stayed behind in the process that was forked."""
    # Asked first: only then does torch keep to its number of threads in a thread that is new.
    n_threads = torch.get_num_threads()
    is_forked = _first_process() != os.getpid()
    if is_forked and (n_threads > 1 or model.device.type != "cpu"):
        raise ZooError(
            "this process was forked after torch had computed, and would wait for threads that it "
            "does not have: start processes with multiprocessing.get_context('spawn'), and load "
            "the detector in each"
        )


@cache
def _first_process() -> int:
    """Return the process that asked first; those forked from it inherit the answer."""
    return os.getpid()


def predict_batch(model: AnomalibModule, batch: Batch) -> Batch:
    """Pre-process a batch and let the model predict it, in tiles if its pre-processor cuts some."""
    pre_processor = model.pre_processor
    if isinstance(pre_processor, ScaledPreProcessor):
        return pre_processor.predict(batch, lambda parts: model.test_step(parts, 0))
    if pre_processor is not None:
        pre_processor.on_test_batch_start(None, model, batch, 0)
    return model.test_step(batch, 0)


def score_pixels(
    model: AnomalibModule,
    images: Sequence[np.ndarray],
    native_sizes: Sequence[tuple[int, int]],
    paths: Sequence[Path] | None = None,
) -> list[Scored]:
    """Score images, uint8 (h, w, 3) at the model's size, as one batch.

    Args:
        model: A fitted module, in evaluation mode.
        images: The images, all of one size.
        native_sizes: (H, W) of the images that they were made from.
        paths: Of these images, for errors.
    """
    # As a data loader lays batches out: some models take views of what follows from them.
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()  # (B, 3, h, w)
    batch = NativeBatch(
        image=Image(stacked.to(torch.float32) / 255),
        image_path=[str(path) for path in paths or [FROM_MEMORY] * len(images)],
        mask_path=[""] * len(images),
        native_size=list(native_sizes),
    )
    return score_batch(model, batch)


def score_split(
    model: AnomalibModule, datamodule: NativeDataModule, split: str
) -> Iterator[Scored]:
    """Yield the raw score map of every image of a split, in sorted order.

    A model whose attribute `transductive` is set is shown the whole split first (`see_split`).
    """
    model.eval()
    if getattr(model, "transductive", False):
        model.see_split(datamodule.dataloader(split))
    for batch in datamodule.dataloader(split):
        yield from score_batch(model, batch)


def _unpack(batch: Batch, pre_processor: PreProcessor | None) -> Iterator[Scored]:
    if batch.anomaly_map is None:
        raise ZooError("the method gives image scores but no score map: nothing to segment with")
    maps = batch.anomaly_map.detach().float()
    maps = list(maps.reshape(-1, *maps.shape[-2:]))  # (B, 1, h, w) or (B, h, w)
    sizes = native_sizes(batch)
    if isinstance(pre_processor, ScaledPreProcessor):
        maps = [pre_processor.reduced(*each) for each in zip(maps, sizes, strict=True)]
    # Copies: the tensor may be one that the method uses again.
    score_maps = [each.cpu().numpy().copy() for each in maps]
    scores = [each.max() for each in score_maps]
    if batch.pred_score is not None:
        scores = batch.pred_score.detach().float().cpu().numpy().reshape(-1)
    for path, native_size, score_map, score in zip(
        batch.image_path, sizes, score_maps, scores, strict=True
    ):
        check_finite(path, score_map, score)
        yield Scored(Path(path), tuple(native_size), score_map, float(score))
