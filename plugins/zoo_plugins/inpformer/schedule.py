"""The learning rate of every optimizer step: a linear warm-up, then half a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def learning_rate_factor(
    total_steps: int, warmup_steps: int = 100, final: float = 0.1
) -> Callable[[int], float]:
    """Return the factor of the peak learning rate as a function of the step, counted from 0.

    The reference's curve: `warmup_steps` values evenly spaced from 0 to 1 inclusive, then
    final + (1 - final) * (1 + cos(pi * i / n)) / 2 over the n steps that are left. A warm-up longer
    than half of the training, for which the reference has no curve, is shortened to that.

    Args:
        total_steps: Optimizer steps of the whole training.
        warmup_steps: Steps of the warm-up.
        final: Factor that the cosine ends at.
    """
    warmup = min(warmup_steps, total_steps // 2)
    rest = max(total_steps - warmup, 1)

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(warmup - 1, 1)
        along = min((step - warmup) / rest, 1.0)
        return final + (1 - final) * (1 + math.cos(math.pi * along)) / 2

    return factor


def total_steps(trainer: Any) -> float:
    """Return how many optimizer steps a training has; infinity if nothing ends it.

    Lightning's `estimated_stepping_batches` is not asked where that can be helped: it prepares the
    training batches before their state is restored, and a training that goes on after an
    interruption would begin its epoch anew.
    """
    if trainer.datamodule is None:
        return trainer.estimated_stepping_batches
    n_batches, limit = len(trainer.datamodule.train_dataloader()), trainer.limit_train_batches
    n_batches = min(n_batches, limit) if isinstance(limit, int) else int(n_batches * limit)
    per_epoch = math.ceil(n_batches / trainer.accumulate_grad_batches)
    limits = [trainer.max_steps] if trainer.max_steps >= 0 else []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs * per_epoch)
    return min(limits, default=math.inf)
