"""Distances between feature maps that reverse distillation is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def distillation_loss(teacher: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
    """Return 1 - cosine of whole maps, mean over the batch, sum over the scales (RD, equation 3).

    The reference flattens a map before it compares: one cosine per image and scale.

    Args:
        teacher: Maps (B, C_k, h_k, w_k).
        student: Maps of the same shapes.
    """
    # Under autocast torch takes this similarity in single precision.
    return sum(
        (1 - F.cosine_similarity(one.flatten(1), other.flatten(1))).mean()
        for one, other in zip(teacher, student, strict=True)
    )
