"""Weights that are drawn, so that parity with a reference needs no stored checkpoint."""

from __future__ import annotations

import torch
from torch import Generator, nn


@torch.no_grad()
def fill_seeded(module: nn.Module, seed: int) -> None:
    """Draw all parameters and buffers of a network, so that signals neither die nor grow.

    Tensors are drawn in the order of the state dict: a reference whose state dict has the same
    shapes in the same order can take them one by one.

    Args:
        module: The network; changed in place.
        seed: Of the generator.
    """
    generator = Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        drawn = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            drawn = 1 + 0.1 * drawn.abs()
        elif tensor.ndim > 1:
            drawn = drawn * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith("weight"):
            drawn = 1 + 0.1 * drawn
        else:
            drawn = 0.1 * drawn
        tensor.copy_(drawn)
