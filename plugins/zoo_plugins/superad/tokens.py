"""The frozen network of SuperAD: tokens of several layers of a vision transformer, or of a CNN."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn

from zoo.methods.weights import create_backbone
from zoo.utils.errors import ZooError
from zoo_plugins._transformers.positions import ScaledPositions, positions_of, scale_positions


class TokenBackbone(nn.Module):
    """Feature maps of named layers; always in evaluation mode.

    The arguments are those of `ZooSuperAD`.

    Attributes:
        stride: Pixels that sides of images must be a multiple of.
        n_layers: Number of layers.

    Raises:
        ZooError: Unknown backbone or layer, or weights that do not fit.
    """

    network: Any  # timm's

    def __init__(
        self, backbone: str, weights: str, layers: Sequence[str], final_norm: bool = False
    ) -> None:
        super().__init__()
        names, self.is_transformer = _layers_of(backbone, weights)
        unknown = [layer for layer in layers if layer not in names]
        if unknown or not layers:
            raise ZooError(
                f"backbone '{backbone}' has no layer {', '.join(unknown) or '(none named)'}; "
                f"it has {', '.join(names)}"
            )
        self.indices = sorted({names.index(layer) for layer in layers})
        self.final_norm = final_norm
        self.n_layers = len(self.indices)
        if self.is_transformer:
            network = create_backbone(backbone, weights, dynamic_img_size=True, num_classes=0)
            network.prune_intermediate_layers(self.indices, prune_norm=not final_norm)
            scale_positions(network)
            self.stride: int = network.patch_embed.patch_size[0]
        else:
            network = create_backbone(
                backbone, weights, features_only=True, exportable=True, out_indices=self.indices
            )
            self.stride = network.feature_info.reduction()[-1]
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> TokenBackbone:
        """Stay in evaluation mode: what the network does belongs to its weights."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (B, C_l, h_l, w_l) of normalised images (B, 3, H, W), shallowest first."""
        if not self.is_transformer:
            return self.network(images)
        return self.network.forward_intermediates(
            images, self.indices, norm=self.final_norm, stop_early=True, intermediates_only=True
        )

    def describe(self, images: Tensor) -> Tensor:
        """Return one vector per image, (B, C): the class token, or the mean of the deepest map."""
        if not self.is_transformer:
            return self.network(images)[-1].mean((2, 3))
        layers = self.network.forward_intermediates(
            images,
            self.indices[-1:],
            return_prefix_tokens=True,
            norm=self.final_norm,
            stop_early=True,
            intermediates_only=True,
        )
        tokens, prefix = layers[0] if isinstance(layers[0], tuple) else (layers[0], None)
        return tokens.mean((2, 3)) if prefix is None else prefix[:, 0]

    def for_size(self, size: tuple[int, int]) -> TokenBackbone:
        """Return a copy for images of one size (H, W), whose position table is not resampled.

        Exporters do not know the resampling. Networks without such a table (DINOv3) stay as they
        are.
        """
        fixed = copy.deepcopy(self)
        if self.is_transformer and fixed.network.pos_embed is not None:
            grid = (size[0] // self.stride, size[1] // self.stride)
            is_scaled = isinstance(self.network, ScaledPositions)
            table = positions_of(self.network, grid) if is_scaled else None
            fixed.network.set_input_size(img_size=size)
            if table is not None:
                fixed.network.pos_embed = nn.Parameter(table, requires_grad=False)
            fixed.network.dynamic_img_size = False
            fixed.network.patch_embed.output_fmt, fixed.network.patch_embed.flatten = None, True
        return fixed


def _layers_of(backbone: str, weights: str) -> tuple[list[str], bool]:
    """Return the names of all layers, and whether the network is a transformer."""
    if not timm.models.is_model(backbone):
        create_backbone(backbone, weights)  # raises: the name is unknown
    with torch.device("meta"):
        network: Any = timm.create_model(backbone, pretrained=False)
        if hasattr(network, "num_prefix_tokens") and hasattr(network, "forward_intermediates"):
            return [f"blocks.{index}" for index in range(len(network.blocks))], True
        network = timm.create_model(backbone, features_only=True)
        return network.feature_info.module_name(), False
