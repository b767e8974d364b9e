"""Frozen encoders: an image becomes a few maps of tokens, each the mean of neighbouring layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from zoo.methods.weights import create_backbone, feature_layers
from zoo.utils.errors import ZooError
from zoo_plugins._transformers.positions import resample_positions

_PROJECTION_SEED = 2025
_HEAD_WIDTH = 32


class Encoder(nn.Module, ABC):
    """A frozen network; always in evaluation mode.

    Attributes:
        width: Channels of a token.
        n_heads: Heads of attention that suit this width.
        stride: Pixels of the image per token, in both directions.
        multiple: Sides of images must be multiples of this, in pixels.
        n_groups: Number of maps.
        n_layers: Number of tapped layers.
    """

    width: int
    n_layers: int
    n_heads: int
    stride: int
    multiple: int
    network: Any  # timm's

    def __init__(self, n_groups: int) -> None:
        super().__init__()
        self.n_groups = n_groups

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return one map (B, C, h, w) per group of layers, of images (B, 3, H, W)."""
        maps = self.layers(images)
        size = len(maps) // self.n_groups
        groups = (maps[start : start + size] for start in range(0, len(maps), size))
        return [torch.stack(group).mean(0) for group in groups]

    @abstractmethod
    def layers(self, images: Tensor) -> list[Tensor]:
        """Return one map (B, C, h, w) per tapped layer."""

    def train(self, mode: bool = True) -> Encoder:
        """Stay in evaluation mode."""
        return super().train(False)


class TransformerEncoder(Encoder):
    """Tokens of the tapped blocks of a vision transformer, without its last norm.

    The arguments are those of `create_encoder`, whose `layers` are numbers of blocks.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        blocks: Sequence[int] | Sequence[str] | None,
        n_groups: int,
    ) -> None:
        super().__init__(n_groups)
        network = create_backbone(backbone, weights, dynamic_img_size=True)
        if network.pos_embed is None:
            raise ZooError(f"backbone '{backbone}' has no table of positions: use a DINOv2 one")
        self.blocks = _blocks(blocks, len(network.blocks))
        self.n_layers = len(self.blocks)
        network.blocks = network.blocks[: self.blocks[-1] + 1]  # the later ones would never run
        network.norm = network.fc_norm = network.head = nn.Identity()
        self.network = network.eval().requires_grad_(False)
        self.width = network.embed_dim
        self.n_heads = network.blocks[0].attn.num_heads
        self.stride = self.multiple = network.patch_embed.patch_size[0]

    def layers(self, images: Tensor) -> list[Tensor]:
        """Return one map (B, C, h, w) per tapped block."""
        network = self.network
        grid = (images.shape[-2] // self.stride, images.shape[-1] // self.stride)
        tokens = network.norm_pre(self._embedded(images, grid))  # (B, prefix + h * w, C)
        maps = []
        for index, block in enumerate(network.blocks):
            tokens = block(tokens)
            if index in self.blocks:
                patches = tokens[:, network.num_prefix_tokens :]  # class and register tokens go
                maps.append(patches.transpose(1, 2).unflatten(2, grid))
        return maps

    def _embedded(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return class token, register tokens and patches with their positions."""
        network, table = self.network, self.network.pos_embed
        tokens = [token for token in (network.cls_token, network.reg_token) if token is not None]
        prefix = torch.cat([table[:, :0], *tokens], dim=1)  # (1, prefix, C)
        if not network.no_embed_class:  # then the table begins with the positions of the prefix
            n_prefix = network.num_prefix_tokens
            prefix, table = prefix + table[:, :n_prefix], table[:, n_prefix:]
        patches = network.patch_embed(images).flatten(1, 2)  # (B, h * w, C)
        patches = patches + resample_positions(table, grid)
        return torch.cat([prefix.expand(images.shape[0], -1, -1), patches], dim=1)


class PyramidEncoder(Encoder):
    """Levels of a convolutional network as tokens of one grid and one width.

    Finer levels are averaged, coarser ones interpolated. Each token is normalised over its channels
    and moved into the common width by a fixed random matrix, orthonormal so that cosines within a
    level stay, and scaled so that no level outweighs another.

    The arguments are those of `create_encoder`, whose `layers` are levels of timm's feature_info.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        layers: Sequence[int] | Sequence[str] | None,
        n_groups: int,
        width: int,
        stride: int,
    ) -> None:
        super().__init__(n_groups)
        if layers is None:
            layers = _levels_of_strides(backbone, (8, 16))
        indices, _ = feature_layers(backbone, [str(layer) for layer in layers])
        self.n_layers = len(indices)
        self.network = create_backbone(backbone, weights, features_only=True, out_indices=indices)
        self.network.eval().requires_grad_(False)
        strides = self.network.feature_info.reduction()
        if width < 1 or width % _HEAD_WIDTH:
            raise ZooError(f"token_width {width}: it must be a multiple of {_HEAD_WIDTH}")
        if stride < 1 or any(max(stride, level) % min(stride, level) for level in strides):
            raise ZooError(f"token_stride {stride} is no multiple or part of the strides {strides}")
        self.width, self.n_heads = width, width // _HEAD_WIDTH
        self.stride, self.multiple = stride, max(stride, *strides)
        generator = torch.Generator().manual_seed(_PROJECTION_SEED)
        for index, channels in enumerate(self.network.feature_info.channels()):
            projection = _projection(channels, width, generator)
            self.register_buffer(f"projection_{index}", projection)

    def layers(self, images: Tensor) -> list[Tensor]:
        """Return one map (B, C, h, w) per level."""
        grid = tuple(side // self.stride for side in images.shape[-2:])
        maps = []
        for index, level in enumerate(self.network(images)):
            factor = level.shape[-1] // grid[1]
            if factor > 1:
                level = nn.functional.avg_pool2d(level, factor)
            elif level.shape[-1] < grid[1]:
                level = nn.functional.interpolate(level, grid, mode="bilinear")
            tokens = level.permute(0, 2, 3, 1)  # (B, h, w, channels)
            tokens = nn.functional.layer_norm(tokens, tokens.shape[-1:])
            projection = getattr(self, f"projection_{index}")  # (C, channels)
            maps.append(nn.functional.linear(tokens, projection).permute(0, 3, 1, 2))
        return maps


def create_encoder(
    backbone: str,
    weights: str,
    layers: Sequence[int] | Sequence[str] | None,
    n_groups: int,
    width: int,
    stride: int,
) -> Encoder:
    """Build the encoder that suits a backbone; arguments as `ZooInpFormer` has them.

    Raises:
        ZooError: Unknown backbone, weights that do not fit, or layers that are not there or do not
            fall into groups of one size.
    """
    encoder: Encoder
    if is_transformer(backbone):
        encoder = TransformerEncoder(backbone, weights, layers, n_groups)
    else:
        encoder = PyramidEncoder(backbone, weights, layers, n_groups, width, stride)
    if n_groups < 1 or encoder.n_layers % n_groups:
        raise ZooError(f"{encoder.n_layers} layers do not fall into {n_groups} groups of one size")
    return encoder


def is_transformer(backbone: str) -> bool:
    """Whether a timm name is that of a vision transformer; an unknown one is not."""
    if not timm.models.is_model(backbone):
        return False
    with torch.device("meta"):
        return isinstance(timm.create_model(backbone, pretrained=False), VisionTransformer)


def _blocks(layers: Sequence[int] | Sequence[str] | None, depth: int) -> tuple[int, ...]:
    """Return the tapped blocks in order; by default 2 to 9 of 12, every second of deeper ones."""
    blocks: list[Any] = sorted(set(layers or (range(2, 10) if depth < 24 else range(4, 20, 2))))
    if not all(str(block).isdigit() and int(block) < depth for block in blocks):
        raise ZooError(
            f"layers {blocks}: those of a vision transformer are numbers of blocks, "
            f"here 0 to {depth - 1}"
        )
    return tuple(int(block) for block in blocks)


def _levels_of_strides(backbone: str, strides: Sequence[int]) -> list[str]:
    info = create_backbone(backbone, "random", features_only=True).feature_info
    levels = zip(info.module_name(), info.reduction(), strict=True)
    return [name for name, stride in levels if stride in strides]


def _projection(channels: int, width: int, generator: torch.Generator) -> Tensor:
    """Return (width, channels): normalised tokens come out with a mean square of 1."""
    drawn = torch.randn(
        max(width, channels), min(width, channels), generator=generator, dtype=torch.float64
    )
    matrix = torch.linalg.qr(drawn)[0].float()  # orthonormal columns
    return matrix * (width / channels) ** 0.5 if width >= channels else matrix.T.contiguous()
