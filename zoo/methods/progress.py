"""How far a training is: epoch, step, loss and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.utils.progress import duration

_KEPT = 0.95  # of the running mean of the loss, at each step


class SayProgress(Callback):
    """Says after every step `fit: epoch 2/10, step 40/190, loss 0.31, about 3 min left`.

    Args:
        say: Receives the text.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.say, self.clock = say, clock
        self._loss: float | None = None
        self._first: tuple[float, float] | None = None  # time and share after the first step

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say what is known after a step."""
        loss = loss_of(outputs)
        if loss is not None and trainer.optimizers:  # what gathers features calls its loss 0
            mean = loss if self._loss is None else self._loss
            self._loss = _KEPT * mean + (1 - _KEPT) * loss
        done, total = batches(trainer)
        said = [f"fit: epoch {trainer.current_epoch + 1}", f"batch {done}/{total}"]
        if self._loss is not None:
            said.append(f"loss {self._loss:.4g}")
        self.say(", ".join(said) + self._left(done / total))

    def _left(self, share: float) -> str:
        """Say how long the rest may take; the first step warms up and does not count."""
        now = self.clock()
        if self._first is None:
            self._first = (now, share)
            return ""
        begin, begun = self._first
        if share <= begun:
            return ""
        return f", about {duration((now - begin) * (1 - share) / (share - begun))} left"


def say_of(trainer: Trainer | None) -> Callable[[str], None]:
    """Return where a method can say what it does between steps; nowhere outside of runs."""
    callbacks = trainer.callbacks if trainer else []
    found = [callback.say for callback in callbacks if isinstance(callback, SayProgress)]
    return found[0] if found else lambda text: None


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
