"""The table of position embeddings of a vision transformer, brought to another grid of patches."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from zoo.errors import ZooError, nearest

Resampling = Literal["scale_factor", "size"]

# DINOv2 adds it to the number of patches before it divides, against rounding; the scale that
# bicubic interpolation then works with differs a little from the ratio of the two sizes.
_OFFSET = 0.1


def check_resampling(how: str) -> None:
    """Raise when there is no such way."""
    if how not in get_args(Resampling):
        choices = get_args(Resampling)
        raise ZooError(f"unknown position_resampling '{how}'{nearest(how, choices)}")


def resample_positions(table: Tensor, grid: tuple[int, int], how: Resampling) -> Tensor:
    """Return the embeddings of every patch of a grid.

    Args:
        table: (1, n * n, C), one row per patch of the square grid of the pretraining.
        grid: (h, w) patches.
        how: "scale_factor" interpolates by (h + 0.1) / n as DINOv2 and the reference do, "size" to
            exactly h x w as anomalib and timm do, here without antialiasing as well.

    Returns:
        (1, h * w, C).
    """
    side = round(table.shape[1] ** 0.5)
    if grid == (side, side):
        return table
    square = table.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, C, n, n)
    if how == "scale_factor":
        target = {"scale_factor": tuple((count + _OFFSET) / side for count in grid)}
    else:
        target = {"size": grid}
    moved = torch.nn.functional.interpolate(square, mode="bicubic", antialias=False, **target)
    return moved.flatten(2).transpose(1, 2).to(table.dtype)
