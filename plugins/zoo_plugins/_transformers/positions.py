"""The table of position embeddings of a vision transformer, brought to another grid of patches."""

from __future__ import annotations

import torch
from timm.models import VisionTransformer
from torch import Tensor, nn

# DINOv2 adds it to the number of patches before it divides, against rounding; the scale that
# bicubic interpolation then works with differs a little from the ratio of the two sizes.
_OFFSET = 0.1


def resample_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the embeddings of every patch of a grid, by (h + 0.1) / n as DINOv2 does.

    Args:
        table: (1, n * n, C), one row per patch of the square grid of the pretraining.
        grid: (h, w) patches.

    Returns:
        (1, h * w, C).
    """
    side = round(table.shape[1] ** 0.5)
    if grid == (side, side):
        return table
    square = table.to(torch.promote_types(table.dtype, torch.float32))  # half precision rounds
    square = square.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, C, n, n)
    scale = [(count + _OFFSET) / side for count in grid]
    moved = torch.nn.functional.interpolate(
        square, scale_factor=scale, mode="bicubic", antialias=False
    )
    return moved.flatten(2).transpose(1, 2).to(table.dtype)


class ScaledPositions(VisionTransformer):
    """A transformer of timm whose table is resampled as DINOv2 does: by scale, not antialiased.

    The class is given to a network that is built already: timm's builder knows its own alone.
    """

    def _pos_embed(self, x: Tensor) -> Tensor:
        if not self.dynamic_img_size or self.pos_embed is None:
            return super()._pos_embed(x)
        table = positions_of(self, (x.shape[1], x.shape[2]))
        x = x.flatten(1, 2)
        tokens = [token for token in (self.cls_token, self.reg_token) if token is not None]
        prefix = [token.expand(len(x), -1, -1) for token in tokens]
        if self.no_embed_class:
            x = torch.cat([*prefix, x + table], dim=1)
        else:
            x = torch.cat([*prefix, x], dim=1) + table
        return self.pos_drop(x)


def scale_positions(network: nn.Module) -> None:
    """Let a network resample as DINOv2 does, if it is a plain transformer with a table."""
    if type(network) is VisionTransformer and network.pos_embed is not None:
        network.__class__ = ScaledPositions


def positions_of(network: VisionTransformer, grid: tuple[int, int]) -> Tensor:
    """Return the whole table of a network for a grid of patches, prefix tokens included."""
    table = network.pos_embed
    assert table is not None  # `ScaledPositions` has one
    n_prefix = 0 if network.no_embed_class else network.num_prefix_tokens
    prefix, patches = table[:, :n_prefix], table[:, n_prefix:]
    return torch.cat([prefix, resample_positions(patches, grid)], dim=1)
