"""A loss that is not finite ends the training, with one line that says when."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.methods.progress import loss_of
from zoo.utils.errors import ZooError


class StopAtDivergence(Callback):
    """Raises after the first step whose loss is NaN or infinite.

    Args:
        checkpoint: Where `zoo.runs.training.resume` keeps the last good state; named in the error.
    """

    def __init__(self, checkpoint: Path | None = None) -> None:
        self.checkpoint = checkpoint

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss of one step."""
        loss = loss_of(outputs)
        if loss is None or math.isfinite(loss):
            return
        kept = ""
        if self.checkpoint is not None and self.checkpoint.is_file():
            kept = f"; the last good state is kept in {self.checkpoint}"
        raise ZooError(
            f"the loss is {loss} in epoch {trainer.current_epoch + 1}, batch {batch_idx + 1} (step "
            f"{trainer.global_step}): training diverged; lower the learning rate{kept}"
        )


def is_finite(module: LightningModule) -> bool:
    """Whether no parameter holds NaN or infinity."""
    return all(bool(value.isfinite().all()) for value in module.parameters())
