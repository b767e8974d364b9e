"""The learning rate of every optimizer step: a linear warm-up, then half a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable


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
