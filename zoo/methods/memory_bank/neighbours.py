"""Exact nearest neighbours in a memory bank: blocked, in bounded memory, on any device.

The squared distance of a query q to an entry k is |q|^2 - 2 (q.k - |k|^2 / 2), so the nearest entry
is the one with the largest *affinity* q.k - |k|^2 / 2: one matrix product with a bias and a
maximum, without roots, norms of queries, or passes over a whole matrix of distances. The product is
made in blocks that stay in the processor's cache. The maximum of a block is taken without its
position, which is much faster; which entry it was is looked up afterwards, in the winning block
alone. Distances are computed from the difference to the entry that was found, so that they are as
exact as float32 allows and an entry of the bank is at distance 0 of itself.

Banks may be float32, float16 or bfloat16; sums are always float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.utils.errors import ZooError

QUERY_BLOCK = 1024  # rows of one product
# Columns of one product: 1024 x 512 floats (2 MB) stay in a cache; accelerators want large
# products.
BANK_BLOCK = 512
ACCELERATOR_BLOCK = 16_384


def affinity_bias(bank: Tensor) -> Tensor:
    """Return -|k|^2 / 2 of every entry of a bank.

    Args:
        bank: Shape (M, d), any floating type.

    Returns:
        float32 of shape (M,).
    """
    blocks = (block.float().square().sum(dim=1) for block in bank.split(QUERY_BLOCK))
    return torch.cat([*blocks, bank.new_empty(0, dtype=torch.float32)]) / -2


def nearest_neighbour(
    queries: Tensor, bank: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the distance to the nearest entry of a bank, and which it is: the fast path of k = 1.

    Args:
        queries: Shape (Q, d).
        bank: Shape (M, d), float32, float16 or bfloat16.
        bias: `affinity_bias(bank)`, when the bank is searched more than once.

    Returns:
        Euclidean distances, float32 (Q,), and indices, int64 (Q,).

    Raises:
        ZooError: The bank is empty, or of another width than the queries.
    """
    check_searchable(queries, bank)
    bias = affinity_bias(bank) if bias is None else bias
    indices = [
        indices_in_blocks(rows, bank, bias, best_blocks(rows, bank, bias))
        for rows in queries.float().split(QUERY_BLOCK)
    ]
    found = torch.cat([*indices, queries.new_empty(0, dtype=torch.int64)])
    return distances_to(queries, bank, found), found


def nearest_neighbours(
    queries: Tensor, bank: Tensor, k: int, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return distances to the k nearest entries of a bank, nearest first, and which they are.

    Args:
        queries: Shape (Q, d).
        bank: Shape (M, d), float32, float16 or bfloat16.
        k: How many; all M when the bank has fewer.
        bias: `affinity_bias(bank)`, when the bank is searched more than once.

    Returns:
        Euclidean distances, float32 (Q, k), and indices, int64 (Q, k).

    Raises:
        ZooError: The bank is empty, or of another width than the queries; k is not positive.
    """
    check_searchable(queries, bank)
    if k < 1:
        raise ZooError(f"{k} nearest neighbours cannot be asked for: take 1 or more")
    bias = affinity_bias(bank) if bias is None else bias
    k = min(k, len(bank))
    found = queries.new_empty((len(queries), k), dtype=torch.int64)
    distances = queries.new_empty((len(queries), k), dtype=torch.float32)
    for begin in range(0, len(queries), QUERY_BLOCK):
        rows = queries[begin : begin + QUERY_BLOCK].float()
        affinity = rows.new_empty((len(rows), 0))
        candidates = found.new_empty((len(rows), 0))
        for start in range(0, len(bank), max(k, bank_block(bank))):
            stop = start + max(k, bank_block(bank))
            block = affinities(rows, bank[start:stop], bias[start:stop])
            columns = torch.arange(start, start + block.shape[1], device=bank.device)
            affinity = torch.cat([affinity, block], dim=1)
            candidates = torch.cat([candidates, columns.expand(len(rows), -1)], dim=1)
            affinity, kept = affinity.topk(min(k, affinity.shape[1]), dim=1)
            candidates = candidates.gather(1, kept)
        exact = torch.stack(
            [distances_to(rows, bank, candidates[:, column]) for column in range(k)], dim=1
        )
        # Affinities are rounded more coarsely than distances: neighbours may have to swap.
        order = exact.argsort(dim=1, stable=True)
        distances[begin : begin + len(rows)] = exact.gather(1, order)
        found[begin : begin + len(rows)] = candidates.gather(1, order)
    return distances, found


def affinities(queries: Tensor, bank: Tensor, bias: Tensor, out: Tensor | None = None) -> Tensor:
    """Return q.k - |k|^2 / 2, float32 (Q, M), of queries (Q, d) in float32 and a bank (M, d)."""
    return torch.addmm(bias, queries, bank.float().T, out=out)


def best_blocks(queries: Tensor, bank: Tensor, bias: Tensor) -> Tensor:
    """Return which block of the bank holds the nearest entry of each query, int64 (Q,)."""
    size = bank_block(bank)
    # One buffer for all products: a new one each time costs more in page faults than the maximum.
    buffer = queries.new_empty(len(queries) * min(size, len(bank)))
    maxima = []
    for start in range(0, len(bank), size):
        part = slice(start, start + size)
        product = buffer[: len(queries) * len(bias[part])].view(len(queries), len(bias[part]))
        maxima.append(affinities(queries, bank[part], bias[part], out=product).amax(dim=1))
    return torch.stack(maxima, dim=1).argmax(dim=1)


def indices_in_blocks(queries: Tensor, bank: Tensor, bias: Tensor, blocks: Tensor) -> Tensor:
    """Return the nearest entry of each query, int64 (Q,), given the block that holds it."""
    size = bank_block(bank)
    indices = torch.empty_like(blocks)
    for block in blocks.unique().tolist():
        rows = (blocks == block).nonzero().squeeze(1)
        part = slice(block * size, (block + 1) * size)
        found = affinities(queries[rows], bank[part], bias[part]).argmax(dim=1)
        indices[rows] = found + part.start
    return indices


def distances_to(queries: Tensor, bank: Tensor, indices: Tensor) -> Tensor:
    """Return the Euclidean distance of each query to one entry of the bank, float32 (Q,)."""
    parts = [
        (rows.float() - bank[part].float()).square().sum(dim=1).sqrt()
        for rows, part in zip(queries.split(QUERY_BLOCK), indices.split(QUERY_BLOCK), strict=True)
    ]
    return torch.cat([*parts, queries.new_empty(0, dtype=torch.float32)])


def bank_block(bank: Tensor) -> int:
    """Return how many entries of a bank one product takes, by the device that it lies on."""
    return BANK_BLOCK if bank.device.type == "cpu" else ACCELERATOR_BLOCK


def check_searchable(queries: Tensor, bank: Tensor) -> None:
    """Raise unless queries (Q, d) can be looked up in a bank (M, d)."""
    if bank.ndim != 2 or len(bank) == 0:
        raise ZooError("the memory bank is empty: fit the model on normal images first")
    if queries.ndim != 2 or queries.shape[1] != bank.shape[1]:
        raise ZooError(
            f"queries of shape {tuple(queries.shape)} do not fit a memory bank of {bank.shape[1]} "
            "features: both must come from the same backbone and layers"
        )
