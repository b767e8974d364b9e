"""Nearest neighbours as one static graph, for export: any number of queries, no control flow.

The same search as in `neighbours`. A product takes a block of the bank and all queries; how many
blocks there are is known when the graph is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

STATIC_BLOCK = 4096


def static_nearest_neighbour(queries: Tensor, bank: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return distances, float32 (Q,), and indices, int64 (Q,); see `neighbours.nearest_neighbour`.

    Args:
        queries: Shape (Q, d), float32.
        bank: Shape (M, d), not empty.
        bias: `affinity_bias(bank)`.
    """
    best, found = None, None
    for start in range(0, bank.shape[0], STATIC_BLOCK):
        block = bank[start : start + STATIC_BLOCK].float()
        affinity = queries @ block.T + bias[start : start + STATIC_BLOCK]
        largest, index = affinity.max(dim=1)
        if best is None:
            best, found = largest, index
        else:
            found = torch.where(largest > best, index + start, found)
            best = torch.maximum(largest, best)
    difference = queries - bank[found].float()
    return difference.square().sum(dim=1).sqrt(), found


def static_nearest_neighbours(
    queries: Tensor, bank: Tensor, k: int, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Return distances and indices, (Q, k), nearest first; for a few queries.

    Args:
        queries: Shape (Q, d), float32.
        bank: Shape (M, d).
        k: At most M.
        bias: `affinity_bias(bank)`.
    """
    affinity = queries @ bank.float().T + bias
    found = affinity.topk(k, dim=1).indices
    difference = queries[:, None] - bank[found].float()
    return difference.square().sum(dim=2).sqrt(), found
