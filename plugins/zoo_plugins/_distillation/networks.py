"""The student of reverse distillation (arXiv 2201.10703): a bottleneck and a mirrored decoder.

With layers 1 to 3 of WideResNet-50-2 every tensor has the shape and order of the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """A bottleneck block of a wide ResNet that may make its map smaller or larger.

    Args:
        in_channels: Of the input.
        out_channels: Of the output; inside there are half as many.
        down: Factor by which height and width shrink.
        up: Factor by which they grow: a transposed convolution takes the place of the 3x3 one.
        signed: Whether the output may be negative; without, it passes a ReLU as published.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        down: int = 1,
        up: int = 1,
        signed: bool = False,
    ) -> None:
        super().__init__()
        width = out_channels // 2
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2: nn.Module = (
            nn.ConvTranspose2d(width, width, up, up, bias=False)
            if up > 1
            else nn.Conv2d(width, width, 3, down, padding=1, bias=False)
        )
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Identity() if signed else self.relu
        self.shortcut: nn.Module = nn.Identity()
        if up > 1:
            self.shortcut = nn.Sequential(
                nn.ConvTranspose2d(in_channels, out_channels, up, up, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        elif down > 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, down, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in, h, w) to (B, out, h * up / down, w * up / down)."""
        inner = self.relu(self.norm1(self.conv1(features)))
        inner = self.relu(self.norm2(self.conv2(inner)))
        return self.last(self.norm3(self.conv3(inner)) + self.shortcut(features))


class OneClassBottleneck(nn.Module):
    """Fuses all scales at the coarsest one and squeezes them into a compact code (section 3.2).

    Args:
        channels: Of the teacher's maps, finest first.
        strides: Of the same maps, in pixels of the image.
        depth: Residual blocks; the first one halves height and width.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], depth: int = 3) -> None:
        super().__init__()
        coarsest = channels[-1]
        blocks = [ResidualBlock(len(channels) * coarsest, 2 * coarsest, down=2)]
        blocks += [ResidualBlock(2 * coarsest, 2 * coarsest) for _ in range(depth - 1)]
        self.embed = nn.Sequential(*blocks)
        steps = list(zip(pairwise(channels), pairwise(strides), strict=True))
        self.reduce = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for (c_in, c_out), (fine, coarse) in steps[start:]
                    for layer in _convolved(c_in, c_out, coarse // fine)
                )
            )
            for start in range(len(steps))
        )
        # The reference declares it, counts it and never uses it: its checkpoints hold 8.4 M of it.
        self.unused = nn.Sequential(
            nn.Conv2d(4 * coarsest, 2 * coarsest, 1, bias=False), nn.BatchNorm2d(2 * coarsest)
        )
        _initialise(self)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map teacher maps (B, C_k, h_k, w_k), finest first, to the code (B, 2C, h / 2, w / 2)."""
        *finer, coarsest = features
        reduced = [reduce(layer) for reduce, layer in zip(self.reduce, finer, strict=True)]
        return self.embed(torch.cat([*reduced, coarsest], dim=1))


class MirroredDecoder(nn.Module):
    """Rebuilds the teacher's maps from the code, coarsest first (section 3.1).

    Args:
        channels: Of the teacher's maps, finest first.
        strides: Of the same maps, in pixels of the image.
        depths: Residual blocks per map, coarsest first; the first one of each enlarges the map.
        signed: Which of the teacher's maps have negative values, finest first; by default none, as
            in a ResNet.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        depths: Sequence[int] = (3, 4, 6),
        signed: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        signs = list(reversed(signed or [False] * len(channels)))
        outputs = list(reversed(channels))
        inputs = [2 * outputs[0], *outputs[:-1]]
        factors = [2, *(coarse // fine for coarse, fine in pairwise(reversed(strides)))]
        self.stages = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(c_in, c_out, up=factor, signed=sign and depth == 1),
                *(
                    ResidualBlock(c_out, c_out, signed=sign and block == depth - 1)
                    for block in range(1, depth)
                ),
            )
            for c_in, c_out, factor, depth, sign in zip(
                inputs, outputs, factors, depths, signs, strict=True
            )
        )
        _initialise(self)

    def forward(self, code: Tensor) -> list[Tensor]:
        """Map the code (B, 2C, h / 2, w / 2) to maps of the teacher's shapes, finest first."""
        rebuilt: list[Tensor] = []
        for stage in self.stages:
            code = stage(code)
            rebuilt.insert(0, code)
        return rebuilt


def _convolved(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def _initialise(network: nn.Module) -> None:
    """Draw convolutions as He et al. do; transposed ones keep PyTorch's default, as published."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
