"""RD++: a projection per scale between teacher and bottleneck, and the losses that teach it.

The published optimal-transport term compares a batch with its own permutation: it is zero, and so
is its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_plugins._distillation.torch_model import ReverseDistillationModel

RECONSTRUCTION_WEIGHT, CONTRAST_WEIGHT = 0.01, 0.1
# The transport term has weight 1 in this sum, though it is zero.
_WEIGHTS_SUM = 1 + RECONSTRUCTION_WEIGHT + CONTRAST_WEIGHT
_MARGIN = 0.5


class Projection(nn.Sequential):
    """Four convolutions C -> C/2 -> C/4 -> C/2 -> C, each normalised per image and activated.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        widths = [channels, channels // 2, channels // 4, channels // 2, channels]
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(widths):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.InstanceNorm2d(c_out)]
            layers += [nn.LeakyReLU()]
        super().__init__(*layers)


class ProjectedDistillationModel(ReverseDistillationModel):
    """Reverse distillation whose student starts from projected features.

    Takes the arguments of `ReverseDistillationModel`, and raises as it does.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.projections = nn.ModuleList(Projection(c) for c in self.teacher.channels)

    def project(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return projected maps of the same shapes."""
        return [net(layer) for net, layer in zip(self.projections, features, strict=True)]

    def student(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Rebuild the teacher's maps (B, C_k, h_k, w_k), finest first, from projected ones."""
        return super().student(self.project(features))


def projection_losses(
    noisy: Sequence[Tensor], projected_noisy: Sequence[Tensor], projected: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Return the terms that teach the projection, each a sum over the scales (section 3.3).

    Args:
        noisy: The teacher's maps (B, C_k, h_k, w_k) of images with pseudo-anomalies.
        projected_noisy: The same, projected.
        projected: Projected maps of the images without them.

    Returns:
        `reconstruction`: 1 - cosine per position between the two projections;
        `contrast`: how far the cosine of whole maps, noisy against projected, exceeds 0.5;
        `ssot`: the published transport term, zero by construction;
        `projection`: their weighted mean.
    """
    reconstructions = [
        (1 - F.cosine_similarity(one.float(), other.float())).mean()
        for one, other in zip(projected_noisy, projected, strict=True)
    ]
    contrasts = [
        F.cosine_embedding_loss(
            one.float().flatten(1), other.float().flatten(1), -one.new_ones(len(one)), _MARGIN
        )
        for one, other in zip(noisy, projected, strict=True)
    ]
    reconstruction = sum(reconstructions[1:], reconstructions[0])
    contrast = sum(contrasts[1:], contrasts[0])
    weighted = RECONSTRUCTION_WEIGHT * reconstruction + CONTRAST_WEIGHT * contrast
    return {
        "reconstruction": reconstruction,
        "contrast": contrast,
        "ssot": torch.zeros_like(weighted),
        "projection": weighted / _WEIGHTS_SUM,
    }
