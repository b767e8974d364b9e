"""Distances to a bank as one static graph, for export: values alone, no indices.

The maximum of a block is much cheaper than its position, and a small block stays in the cache of a
processor: an OpenVINO graph of these products is faster than torch, one that looks for positions is
half as fast. How many blocks there are is known when the graph is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.methods.memory_bank.neighbours import BANK_BLOCK


def static_nearest_distance(queries: Tensor, bank: Tensor, bias: Tensor) -> Tensor:
    """Return squared distances to the nearest entries, float32 (Q,).

    |q|^2 - 2 max(q.k - |k|^2 / 2) is as exact as float32 is at |q|^2; `nearest_neighbour` computes
    differences instead.

    Args:
        queries: Shape (Q, d), float32.
        bank: Shape (M, d), not empty.
        bias: `affinity_bias(bank)`.
    """
    blocks = zip(bank.float().split(BANK_BLOCK), bias.split(BANK_BLOCK), strict=True)
    largest = [(queries @ block.T + part).amax(dim=1, keepdim=True) for block, part in blocks]
    nearest = torch.cat(largest, dim=1).amax(dim=1)
    return (queries.square().sum(dim=1) - 2 * nearest).clamp_min(0)
