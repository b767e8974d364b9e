"""Guided filtering of score maps: their edges follow the edges of the image.

Paper: He, Sun and Tang, Guided Image Filtering, TPAMI 2013, section 3.2, equations 5, 6 and 8, with
the grey image as guide. Maps of networks are coarse and blurred; the filter fits them, window by
window, by a linear function of the image. It belongs to any method: a recipe asks for it in its
section `guided_filter`, and exported graphs contain it. Kornia's `guided_blur` is the same filter
but for the borders, which it mirrors; its convolutions take three times as long as running sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from anomalib.data import InferenceBatch
from anomalib.models import AnomalibModule
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import Normalize

from zoo.data.transforms import parts_of, pre_processing_of
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class GuidedFilter:
    """The `guided_filter` section of a recipe; `{}` takes the defaults.

    Attributes:
        radius: Of the square windows, as a share of the map's shorter side, in (0, 0.5].
        eps: Variance of the grey image, in [0, 1], below which a window counts as flat and is
            averaged.

    Raises:
        ZooError: A number out of range.
    """

    radius: float = 0.04
    eps: float = 0.001

    def __post_init__(self) -> None:
        if not (0 < self.radius <= 0.5 and self.eps > 0):
            raise ZooError(
                f"guided_filter: radius {self.radius}, eps {self.eps}: the radius is a share of "
                "the shorter side, above 0 and up to 0.5, and eps is greater than 0"
            )

    def __call__(self, score_map: Tensor, image: Tensor) -> Tensor:
        """Return the filtered map.

        Args:
            score_map: (B, 1, h, w) float32, raw scores.
            image: (B, 3, H, W) float32 in [0, 1].
        """
        height, width = score_map.shape[-2:]
        guide = image.mean(1, keepdim=True)  # (B, 1, H, W)
        if guide.shape[-2:] != score_map.shape[-2:]:
            guide = functional.interpolate(guide, (height, width), mode="bilinear", antialias=False)
        radius = max(1, round(self.radius * min(height, width)))
        # Sums of small numbers keep more digits: the filter commutes with offsets of both.
        level = score_map.mean((-2, -1), keepdim=True)
        scores = score_map - level
        guide = guide - guide.mean((-2, -1), keepdim=True)
        moments = torch.cat([guide, scores, guide * scores, guide * guide], dim=1)  # (B, 4, h, w)
        mean_guide, mean_scores, mixed, squared = _box_mean(moments, radius).split(1, dim=1)
        slope = (mixed - mean_guide * mean_scores) / (squared - mean_guide**2 + self.eps)  # eq. 5
        offset = mean_scores - slope * mean_guide  # eq. 6
        slope, offset = _box_mean(torch.cat([slope, offset], dim=1), radius).split(1, dim=1)
        return slope * guide + offset + level  # eq. 8


def filtered(
    model: AnomalibModule, guided_filter: GuidedFilter | dict[str, Any] | None
) -> AnomalibModule:
    """Let a guided filter follow a model's maps from now on; None leaves it as it is.

    Args:
        model: Any anomalib module whose torch model takes normalised images.
        guided_filter: The section of a recipe.
    """
    if guided_filter is None:
        return model
    if isinstance(guided_filter, dict):
        guided_filter = GuidedFilter(**guided_filter)
    mean, std = _normalisation(model)

    def follow(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        is_map = isinstance(output, InferenceBatch) and output.anomaly_map is not None
        if module.training or not is_map:
            return output
        images = inputs[0]
        image = images * std.to(images) + mean.to(images)
        maps = output.anomaly_map.reshape(-1, 1, *output.anomaly_map.shape[-2:])
        changed = guided_filter(maps, image).reshape(output.anomaly_map.shape)
        return output._replace(anomaly_map=changed)

    model.model.register_forward_hook(follow)
    return model


def _box_mean(values: Tensor, radius: int) -> Tensor:
    """Return means over windows of (2 radius + 1) squared, cut at the borders; (B, C, h, w)."""
    for dim in (-2, -1):
        values = _line_sum(values, dim, radius)
    ones = torch.ones_like(values[:1, :1])
    for dim in (-2, -1):
        ones = _line_sum(ones, dim, radius)
    return values / ones


def _line_sum(values: Tensor, dim: int, radius: int) -> Tensor:
    """Return sums over lines of 2 radius + 1 along a dimension, by differences of running sums."""
    running = values.cumsum(dim).transpose(dim, -1)  # (B, C, ..., n)
    first = functional.pad(running, (radius + 1, 0))[..., : running.shape[-1]]
    last = functional.pad(running, (0, radius, 0, 0), mode="replicate")[..., radius:]
    return (last - first).transpose(dim, -1)


def _normalisation(model: AnomalibModule) -> tuple[Tensor, Tensor]:
    """Return mean and deviation, (3, 1, 1) each, that a model's pre-processor normalises by."""
    for part in parts_of(pre_processing_of(model.pre_processor).transform):
        if isinstance(part, Normalize):
            return torch.tensor(part.mean).view(3, 1, 1), torch.tensor(part.std).view(3, 1, 1)
    return torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
