"""What methods that learn by gradient descent share: defaults, frozen features, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from zoo.data.anomalib_internals import split_dataset
from zoo.data.splits import TRAIN
from zoo.data.transforms import pre_processing_of
from zoo.methods.method import ZooMethod
from zoo.utils.progress import duration

_KEPT = 0.95  # of the running mean of the loss, at each step


class TrainedMethod(ZooMethod):
    """Base class of methods that learn by steps; put it before `AnomalibModule`.

    A method with a frozen network gives its features in `frozen`, and its `training_step` takes
    them from `frozen_features`: they are then computed once per training image, where the images
    are neither augmented nor tiled and where they fit into `feature_cache_mb`.
    """

    feature_cache_mb: float = 0.0
    _cached: FrozenFeatures | None = None

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """Neither clipping of gradients nor a validation before the first step."""
        return {"gradient_clip_val": 0, "num_sanity_val_steps": 0}

    def frozen(self, images: Tensor) -> Sequence[Tensor]:
        """Return what never changes of normalised images (B, 3, H, W): layers (B, C, h, w).

        By default no network is frozen, and what never changes is the images themselves.
        """
        return [images]

    def on_train_start(self) -> None:
        """Compute the frozen features of the training images, where that is possible."""
        self._cached = FrozenFeatures.fill(self, self.frozen, self.feature_cache_mb)

    def on_train_end(self) -> None:
        """Free the features."""
        self._cached = None

    def frozen_features(self, batch: Any) -> Sequence[Tensor]:
        """Return the frozen features of a training batch, layers (B, C, h, w)."""
        if self._cached is None:
            return self.frozen(batch.image)
        return self._cached(batch.image_path, self.device)


class FrozenFeatures:
    """The features of every training image from a frozen network, in main memory.

    Each image goes through the network alone, so that its features do not depend on the batches of
    an epoch: a training that was interrupted continues with the same numbers.

    Args:
        of_path: One tensor (C, h, w) float32 per layer for every path of an image.
    """

    def __init__(self, of_path: dict[str, list[Tensor]]) -> None:
        self._of_path = of_path

    @classmethod
    @torch.no_grad()
    def fill(
        cls,
        module: Any,
        network: Callable[[Tensor], Sequence[Tensor]],
        budget_mb: float,
    ) -> FrozenFeatures | None:
        """Compute the features of all training images of the module's trainer.

        Args:
            module: A lightning module; its pre-processor prepares the images, its trainer has them.
            network: In evaluation mode; (1, 3, H, W) to layers (1, C, h, w).
            budget_mb: Most memory to use, in MB of 10**6 bytes; 0 switches the cache off.

        Returns:
            None where images are augmented or cut into tiles, or where the features do not fit into
            the budget: then compute them batch by batch.
        """
        pre_processing = pre_processing_of(module.pre_processor)
        dataset = split_dataset(module.trainer.datamodule, TRAIN)  # none of bare loaders
        # Tiles of an image share its path; a dataset of tiles has no augmentations of its own.
        is_whole = pre_processing.layout is None and hasattr(dataset, "augmentations")
        if budget_mb <= 0 or not is_whole or dataset.augmentations is not None:
            return None
        report, transform = progress_of(module.trainer), pre_processing.transform
        of_path: dict[str, list[Tensor]] = {}
        for index in range(len(dataset)):
            item = dataset[index]
            image = item.image[None].to(module.device)  # (1, 3, H, W)
            layers = network(transform(image) if transform else image)
            kept = [layer[0].float().cpu() for layer in layers]
            n_bytes = sum(layer.numel() * layer.element_size() for layer in kept)
            if n_bytes * len(dataset) > budget_mb * 1e6:
                return None
            of_path[item.image_path] = kept
            report(f"features of the frozen network {index + 1}/{len(dataset)}")
        return cls(of_path)

    def __call__(self, paths: Sequence[str], device: torch.device) -> list[Tensor]:
        """Return the features of some images, one (B, C, h, w) float32 per layer."""
        per_image = [self._of_path[path] for path in paths]
        return [torch.stack(layer).to(device) for layer in zip(*per_image, strict=True)]


class FitProgress(Callback):
    """Reports after every step `fit: epoch 2, batch 40/190, loss 0.31, about 3 min left`.

    Args:
        report: Receives the text.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self, report: Callable[[str], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.report, self.clock = report, clock
        self._loss: float | None = None
        self._first: tuple[float, float] | None = None  # time and share after the first step

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report what is known after a step."""
        loss = loss_of(outputs)
        if loss is not None and trainer.optimizers:  # what gathers features calls its loss 0
            mean = loss if self._loss is None else self._loss
            self._loss = _KEPT * mean + (1 - _KEPT) * loss
        done, total = batches(trainer)
        parts = [f"fit: epoch {trainer.current_epoch + 1}", f"batch {done}/{total}"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.4g}")
        self.report(", ".join(parts) + self._left(done / total))

    def _left(self, share: float) -> str:
        """Return how long the rest may take; the first step warms up and does not count."""
        now = self.clock()
        if self._first is None:
            self._first = (now, share)
            return ""
        begin, begun = self._first
        if share <= begun:
            return ""
        return f", about {duration((now - begin) * (1 - share) / (share - begun))} left"


def progress_of(trainer: Any) -> Callable[[str], None]:
    """Return where a method reports what it does between steps; nowhere outside of runs."""
    callbacks = trainer.callbacks if trainer is not None else []
    reports = [callback.report for callback in callbacks if isinstance(callback, FitProgress)]
    return reports[0] if reports else lambda text: None


def batches(trainer: Trainer) -> tuple[int, int]:
    """Return how many batches a training has had, and how many it will have had in the end."""
    done = trainer.fit_loop.total_batch_idx + 1
    per_epoch = trainer.num_training_batches
    limits = []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs * per_epoch)
    if trainer.max_steps >= 0 and trainer.global_step > 0:
        # Where gradients are added up, several batches make a step.
        limits.append(round(trainer.max_steps * max(1.0, done / trainer.global_step)))
    return done, int(max(done, min(limits, default=done)))


def loss_of(outputs: Any) -> float | None:
    """Return the loss that a training step returned, or None where it has none."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    if isinstance(loss, torch.Tensor) and loss.numel() == 1:
        return float(loss.detach())
    return None
