"""The frozen network of PatchCore: any timm network with feature maps, up to the named layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.methods.weights import create_backbone
from zoo.utils.errors import ZooError


class FrozenBackbone(nn.Module):
    """Feature maps of named layers; always in evaluation mode.

    Args:
        backbone: A timm name.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: Modules as timm's feature_info names them, in any order.

    Attributes:
        channels: Number of channels of each layer, in the order of the network.

    Raises:
        ZooError: Unknown backbone or layer, or weights that do not fit.
    """

    def __init__(self, backbone: str, weights: str, layers: Sequence[str]) -> None:
        super().__init__()
        self.network = create_backbone(
            backbone,
            weights,
            features_only=True,
            exportable=True,
            out_indices=_positions(backbone, layers),
        )
        self.network.requires_grad_(False).eval()
        self.channels: list[int] = self.network.feature_info.channels()

    def train(self, mode: bool = True) -> FrozenBackbone:
        """Stay in evaluation mode: statistics of batch normalisation belong to the weights."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (B, C_l, h_l, w_l) of normalised images (B, 3, H, W), finest first."""
        return self.network(images)


def _positions(backbone: str, layers: Sequence[str]) -> list[int]:
    """Return the positions of layers among timm's feature maps, in the order of the network."""
    names = create_backbone(backbone, "random", features_only=True).feature_info.module_name()
    unknown = [layer for layer in layers if layer not in names]
    if unknown or not layers:
        raise ZooError(
            f"backbone '{backbone}' has no layer {', '.join(unknown) or '(none named)'}; "
            f"it has {', '.join(names)}"
        )
    return sorted({names.index(layer) for layer in layers})
