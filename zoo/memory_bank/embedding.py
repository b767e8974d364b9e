"""Patch embeddings of PatchCore in closed form: small filters instead of unfolded patches.

Roth et al., arXiv 2106.08265, section 3.1. The reference, amazon-science/patchcore-inspection at
fcaa92f1 (Apache-2.0), unfolds every 3 x 3 neighbourhood into a vector of 9 C numbers, upsamples
those of deeper layers, averages each vector to `pretrain_dim` numbers, and those of all layers to
`embedding_dim`. All of it is linear with fixed weights, and upsampling commutes with what happens
at each place. So it is one bank of 3 x 3 filters per layer, on the layer's own grid, and then the
upsampling: the same numbers, and nothing nine times as large is ever made.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_PLACES = 9  # of a 3 x 3 neighbourhood


class PooledConcatenation(nn.Module):
    """Average every map over 3 x 3 places, bring all to the grid of the first, join the channels.

    The embedding of anomalib's Patchcore. Zeros beyond the border count, as there.

    Args:
        unit_length: Bring the features of each place and layer to length 1 before they are joined:
            only their direction counts, and no layer outweighs another.
    """

    def __init__(self, unit_length: bool = False) -> None:
        super().__init__()
        self.unit_length = unit_length

    def forward(self, feature_maps: Sequence[Tensor]) -> Tensor:
        """Embed feature maps (B, C_l, h_l, w_l), finest first, as (B, sum of C_l, h_1, w_1)."""
        size = feature_maps[0].shape[-2:]
        pooled = [_averaged(feature_map) for feature_map in feature_maps]
        if self.unit_length:
            pooled = [functional.normalize(each, dim=1) for each in pooled]
        return torch.cat([_upsampled(each, size) for each in pooled], dim=1)


class PatchEmbedding(nn.Module):
    """The reference's embedding, of a fixed width for any backbone.

    Args:
        channels: Number of channels of each layer, finest layer first.
        pretrain_dim: Numbers that each layer's patch vector is averaged to.
        embedding_dim: Numbers of the embedding.
    """

    def __init__(
        self, channels: Sequence[int], pretrain_dim: int = 1024, embedding_dim: int = 1024
    ) -> None:
        super().__init__()
        rows = _patch_weights(channels, pretrain_dim, embedding_dim)
        self.filters = nn.ModuleList(
            _LayerFilter(rows[layer], count) for layer, count in enumerate(channels)
        )

    def forward(self, feature_maps: Sequence[Tensor]) -> Tensor:
        """Embed feature maps (B, C_l, h_l, w_l), finest first, as (B, embedding_dim, h_1, w_1)."""
        size = feature_maps[0].shape[-2:]
        parts = [
            _upsampled(layer(feature_map), size)
            for layer, feature_map in zip(self.filters, feature_maps, strict=True)
        ]
        joined = parts[0]
        for layer, part in zip(self.filters[1:], parts[1:], strict=True):
            # A number whose average reaches over the seam of two layers belongs to both.
            seam = joined.shape[1] - layer.first
            if seam:
                shared = joined[:, layer.first :] + part[:, :seam]
                joined = torch.cat([joined[:, : layer.first], shared], dim=1)
            joined = torch.cat([joined, part[:, seam:]], dim=1)
        return joined  # (B, embedding_dim, h_1, w_1)


class _LayerFilter(nn.Module):
    """What one layer adds to a run of consecutive embedding numbers.

    Args:
        rows: {number: weights over the 9 C numbers of an unfolded patch, (9 C,) float64}.
        channels: C.
    """

    def __init__(self, rows: dict[int, Tensor], channels: int) -> None:
        super().__init__()
        self.first = min(rows)
        weights = torch.stack([rows[key] for key in sorted(rows)]).view(
            len(rows), channels, _PLACES
        )
        used = weights.abs().sum(dim=2) > 0  # (numbers, C)
        begin = used.int().argmax(dim=1)
        width = int(used.sum(dim=1).max())  # channels of a number are consecutive
        window = (begin[:, None] + torch.arange(width)).clamp_max(channels - 1)
        kernel = weights.gather(1, window[:, :, None].expand(-1, -1, _PLACES))
        # Where a window was pushed back by the last channel, that channel counts once.
        repeated = torch.zeros_like(window, dtype=torch.bool)
        repeated[:, 1:] = window[:, 1:] == window[:, :-1]
        kernel[repeated] = 0
        self.numbers = len(rows)
        self.is_plain = window.flatten().tolist() == list(range(channels))
        self.register_buffer("window", window.flatten(), persistent=False)
        self.register_buffer(
            "kernel", kernel.view(len(rows), width, 3, 3).float(), persistent=False
        )

    def forward(self, feature_map: Tensor) -> Tensor:
        """Return (B, numbers, h, w) of a feature map (B, C, h, w)."""
        chosen = feature_map if self.is_plain else feature_map[:, self.window]
        kernel = self.kernel.to(feature_map.dtype)
        return functional.conv2d(chosen, kernel, padding=1, groups=self.numbers)


def _patch_weights(
    channels: Sequence[int], pretrain_dim: int, embedding_dim: int
) -> list[dict[int, Tensor]]:
    """Return for each layer {embedding number: its weights over an unfolded patch}.

    Both averages are adaptive pooling in one dimension: number t of m covers the entries from
    floor(t n / m) to ceil((t + 1) n / m) of n.
    """
    layers: list[dict[int, Tensor]] = [{} for _ in channels]
    for number in range(embedding_dim):
        covered = _covered(number, len(channels) * pretrain_dim, embedding_dim)
        for position in covered:
            layer, inner = divmod(position, pretrain_dim)
            length = channels[layer] * _PLACES
            row = layers[layer].setdefault(number, torch.zeros(length, dtype=torch.float64))
            entries = _covered(inner, length, pretrain_dim)
            row[entries.start : entries.stop] += 1 / (len(entries) * len(covered))
    return layers


def _covered(number: int, length: int, numbers: int) -> range:
    return range(number * length // numbers, -(-(number + 1) * length // numbers))


def _averaged(feature_map: Tensor) -> Tensor:
    """Average over 3 x 3 places; as a filter, which is five times as fast as pooling on a CPU."""
    channels = feature_map.shape[1]
    kernel = feature_map.new_full((channels, 1, 3, 3), 1 / _PLACES)
    return functional.conv2d(feature_map, kernel, padding=1, groups=channels)


def _upsampled(feature_map: Tensor, size: torch.Size) -> Tensor:
    if feature_map.shape[-2:] == size:
        return feature_map
    return functional.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)
