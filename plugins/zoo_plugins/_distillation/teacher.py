"""The frozen teacher: some feature maps of a timm network, finest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from zoo.methods.weights import create_backbone, feature_layers
from zoo.utils.errors import ZooError


class Teacher(nn.Module):
    """A pyramid of feature maps that is never trained and always in evaluation mode.

    Args:
        backbone: A timm name of a convolutional network.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: Modules whose maps are taken, as timm's feature_info names them, in any order.

    Raises:
        ZooError: Unknown backbone or layer, or weights that do not fit.
    """

    def __init__(self, backbone: str, weights: str | Path, layers: Sequence[str]) -> None:
        super().__init__()
        indices, self.layers = feature_layers(backbone, layers)
        self.network = create_backbone(
            backbone, weights, features_only=True, exportable=True, out_indices=indices
        )
        self.channels: list[int] = self.network.feature_info.channels()
        self.strides: list[int] = self.network.feature_info.reduction()
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stay in evaluation mode: batch statistics of the training images are no teacher's."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (B, C_k, H / stride_k, W / stride_k) of normalised images (B, 3, H, W)."""
        return list(self.network(images))

    def signed(self) -> list[bool]:
        """Return which maps have negative values: those that end with a ReLU have none."""
        noise = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
        return [bool((layer < 0).any()) for layer in self(noise)]

    @property
    def least_px(self) -> int:
        """Sides must be multiples of this: the student halves the coarsest map once more."""
        return 2 * self.strides[-1]


def check_image_size(teacher: Teacher, size: tuple[int, int]) -> None:
    """Raise unless the student's maps will have the sizes of the teacher's.

    Args:
        teacher: The teacher.
        size: (height, width) of the network's input in pixels.

    Raises:
        ZooError: A side is no multiple of what the pyramid halves, or so small that the coarsest
            map is a single pixel, of which batch and instance norm can take no variance.
    """
    unit = teacher.least_px
    if any(side % unit or side < 2 * unit for side in size):
        raise ZooError(
            f"image_size {size[0]}x{size[1]} does not suit the layers {', '.join(teacher.layers)}: "
            f"both sides must be multiples of {unit} pixels, and {2 * unit} at least"
        )
