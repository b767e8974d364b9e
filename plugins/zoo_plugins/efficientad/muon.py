"""Muon for trainings of a few hundred steps, which are too short for Adam.

Adam at the published rate has hardly begun after 300 steps. Muon's steps turn every direction of a
layer's weights alike: it comes as far in a few hundred. Paper: K. Jordan et al., Muon: An optimizer
for hidden layers in neural networks (2024). Implementation: timm's.
"""

from __future__ import annotations

from collections.abc import Iterable

from timm.optim.muon import Muon
from torch import nn

_WARM_UP = 5  # steps
_BIAS_SHARE = 1 / 60  # of the rate, for AdamW, which moves what is no matrix


def muon(parameters: Iterable[nn.Parameter], rate: float) -> Muon:
    """Return the optimizer.

    Args:
        parameters: Of convolutions: weights and biases.
        rate: How far a step goes, as a share of a weight matrix that is orthonormal.
    """
    return Muon(
        parameters,
        lr=rate,
        nesterov=True,
        adjust_lr_fn="original",
        fallback_lr_scale=_BIAS_SHARE,
    )


def share_of_rate(step: int, steps: int) -> float:
    """Return what part of its rate a step has: it rises for five steps, and falls to zero.

    Args:
        step: From 0.
        steps: How many there are.
    """
    return min(1.0, (step + 1) / _WARM_UP) * max(0.0, 1 - step / steps)
