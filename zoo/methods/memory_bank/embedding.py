"""Patch embeddings of PatchCore (arXiv 2106.08265, section 3.1) in closed form.

The reference unfolds every neighbourhood, upsamples and averages twice. All of it is linear with
fixed weights: one bank of p x p filters per layer, on its own grid, and then the upsampling.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.utils.errors import ZooError


class PooledConcatenation(nn.Module):
    """Average every map over p x p places, bring all to the grid of the first, join the channels.

    The embedding of anomalib's Patchcore. Zeros beyond the border count, as there.

    Args:
        unit_length: Bring the features of each place and layer to length 1 before they are joined:
            only their direction counts, and no layer outweighs another.
        patch_size: p, odd.

    Raises:
        ZooError: The patch size is even, or not positive.
    """

    def __init__(self, unit_length: bool = False, patch_size: int = 3) -> None:
        super().__init__()
        self.unit_length = unit_length
        self.patch_size = _checked(patch_size)

    def forward(self, feature_maps: Sequence[Tensor]) -> Tensor:
        """Embed feature maps (B, C_l, h_l, w_l), finest first, as (B, sum of C_l, h_1, w_1)."""
        size = feature_maps[0].shape[-2:]
        pooled = [_averaged(feature_map, self.patch_size) for feature_map in feature_maps]
        if self.unit_length:
            pooled = [functional.normalize(layer, dim=1) for layer in pooled]
        return torch.cat([_upsampled(layer, size) for layer in pooled], dim=1)


class PatchEmbedding(nn.Module):
    """The reference's embedding, of a fixed width for any backbone.

    Args:
        channels: Number of channels of each layer, finest layer first.
        pretrain_dim: Numbers that each layer's patch vector is averaged to.
        embedding_dim: Numbers of the embedding.
        patch_size: Side p of a neighbourhood, odd.

    Raises:
        ZooError: The patch size is even, or not positive.
    """

    def __init__(
        self,
        channels: Sequence[int],
        pretrain_dim: int = 1024,
        embedding_dim: int = 1024,
        patch_size: int = 3,
    ) -> None:
        super().__init__()
        places = _checked(patch_size) ** 2
        rows = _patch_weights(channels, pretrain_dim, embedding_dim, places)
        filters = [
            _LayerFilter(rows[layer], count, patch_size) for layer, count in enumerate(channels)
        ]
        self.filters, self.firsts = nn.ModuleList(filters), [part.first for part in filters]

    def forward(self, feature_maps: Sequence[Tensor]) -> Tensor:
        """Embed feature maps (B, C_l, h_l, w_l), finest first, as (B, embedding_dim, h_1, w_1)."""
        size = feature_maps[0].shape[-2:]
        parts = [
            _upsampled(layer(feature_map), size)
            for layer, feature_map in zip(self.filters, feature_maps, strict=True)
        ]
        joined = parts[0]
        for first, part in zip(self.firsts[1:], parts[1:], strict=True):
            # A number whose average reaches over the seam of two layers belongs to both.
            seam = joined.shape[1] - first
            if seam:
                shared = joined[:, first:] + part[:, :seam]
                joined = torch.cat([joined[:, :first], shared], dim=1)
            joined = torch.cat([joined, part[:, seam:]], dim=1)
        return joined  # (B, embedding_dim, h_1, w_1)


class _LayerFilter(nn.Module):
    """What one layer adds to a run of consecutive embedding numbers.

    Args:
        rows: {number: weights over the p p C numbers of an unfolded patch, (p p C,) float64}.
        channels: C.
        patch_size: p.
    """

    window: Tensor
    kernel: Tensor

    def __init__(self, rows: dict[int, Tensor], channels: int, patch_size: int) -> None:
        super().__init__()
        self.first, self.padding = min(rows), patch_size // 2
        places = patch_size**2
        weights = torch.stack([rows[key] for key in sorted(rows)]).view(len(rows), channels, places)
        used = weights.abs().sum(dim=2) > 0  # (numbers, C)
        begin = used.int().argmax(dim=1)
        width = int(used.sum(dim=1).max())  # channels of a number are consecutive
        window = (begin[:, None] + torch.arange(width)).clamp_max(channels - 1)
        kernel = weights.gather(1, window[:, :, None].expand(-1, -1, places))
        # Where a window was pushed back by the last channel, that channel counts once.
        repeated = torch.zeros_like(window, dtype=torch.bool)
        repeated[:, 1:] = window[:, 1:] == window[:, :-1]
        kernel[repeated] = 0
        self.numbers = len(rows)
        self.is_plain = window.flatten().tolist() == list(range(channels))
        self.register_buffer("window", window.flatten(), persistent=False)
        self.register_buffer(
            "kernel",
            kernel.view(len(rows), width, patch_size, patch_size).float(),
            persistent=False,
        )

    def forward(self, feature_map: Tensor) -> Tensor:
        """Return (B, numbers, h, w) of a feature map (B, C, h, w)."""
        chosen = feature_map if self.is_plain else feature_map[:, self.window]
        kernel = self.kernel.to(feature_map.dtype)
        return functional.conv2d(chosen, kernel, padding=self.padding, groups=self.numbers)


def _patch_weights(
    channels: Sequence[int], pretrain_dim: int, embedding_dim: int, places: int
) -> list[dict[int, Tensor]]:
    """Return for each layer {embedding number: its weights over an unfolded patch}."""
    layers: list[dict[int, Tensor]] = [{} for _ in channels]
    for number in range(embedding_dim):
        covered = _covered(number, len(channels) * pretrain_dim, embedding_dim)
        for position in covered:
            layer, inner = divmod(position, pretrain_dim)
            length = channels[layer] * places
            row = layers[layer].setdefault(number, torch.zeros(length, dtype=torch.float64))
            entries = _covered(inner, length, pretrain_dim)
            row[entries.start : entries.stop] += 1 / (len(entries) * len(covered))
    return layers


def _covered(number: int, length: int, numbers: int) -> range:
    """Return the entries that adaptive pooling in one dimension averages into a number."""
    return range(number * length // numbers, -(-(number + 1) * length // numbers))


def _averaged(feature_map: Tensor, patch_size: int) -> Tensor:
    """Average over p x p places; as a filter, which is five times as fast as pooling on a CPU."""
    channels = feature_map.shape[1]
    kernel = feature_map.new_full((channels, 1, patch_size, patch_size), 1 / patch_size**2)
    return functional.conv2d(feature_map, kernel, padding=patch_size // 2, groups=channels)


def _checked(patch_size: int) -> int:
    if patch_size < 1 or patch_size % 2 == 0:
        raise ZooError(f"patch_size is {patch_size}, it must be odd: 1, 3, 5 or more")
    return patch_size


def _upsampled(feature_map: Tensor, size: torch.Size) -> Tensor:
    if feature_map.shape[-2:] == size:
        return feature_map
    return functional.interpolate(feature_map, size=size, mode="bilinear", align_corners=False)
