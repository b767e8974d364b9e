"""Exact nearest neighbours in a memory bank: blocked, in bounded memory, on any device.

The nearest entry k of a query q has the largest *affinity* q.k - |k|^2 / 2: one matrix product with
a bias, and a maximum, in blocks that stay in the processor's cache. The position is looked up in
the winning block alone; distances are computed from differences. The functions `static_*` are the
same search as a static graph for export.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.utils.errors import ZooError

QUERY_BLOCK = 1024  # rows of one product
BANK_BLOCK = 512  # its columns on a CPU: 1024 x 512 floats (2 MB) stay in a cache
ACCELERATOR_BLOCK = 16_384  # its columns elsewhere
STATIC_BLOCK = 4096  # its columns in a graph that looks for positions


def affinity_bias(bank: Tensor) -> Tensor:
    """Return -|k|^2 / 2 of every entry of a bank (M, d) of any floating type, float32 (M,)."""
    blocks = (block.float().square().sum(dim=1) for block in bank.split(QUERY_BLOCK))
    return torch.cat([*blocks, bank.new_empty(0, dtype=torch.float32)]) / -2


def nearest_neighbour(
    queries: Tensor, bank: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the distance to the nearest entry of a bank, and its index: the fast path of k = 1.

    Args:
        queries: Shape (Q, d).
        bank: Shape (M, d), float32, float16 or bfloat16.
        bias: `affinity_bias(bank)`, when the bank is searched more than once.

    Returns:
        Euclidean distances, float32 (Q,), and indices, int64 (Q,).

    Raises:
        ZooError: The bank is empty, or of another width than the queries.
    """
    _check(queries, bank)
    bias = affinity_bias(bank) if bias is None else bias
    parts = [_nearest_indices(rows, bank, bias) for rows in queries.float().split(QUERY_BLOCK)]
    indices = torch.cat([*parts, queries.new_empty(0, dtype=torch.int64)])
    return _distances(queries, bank, indices), indices


def nearest_neighbours(
    queries: Tensor, bank: Tensor, k: int, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return distances to the k nearest entries of a bank, nearest first, and their indices.

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
    _check(queries, bank)
    if k < 1:
        raise ZooError(f"{k} nearest neighbours cannot be asked for: take 1 or more")
    bias = affinity_bias(bank) if bias is None else bias
    k = min(k, len(bank))
    indices = queries.new_empty((len(queries), k), dtype=torch.int64)
    distances = queries.new_empty((len(queries), k), dtype=torch.float32)
    step = max(k, bank_block(bank))
    for begin in range(0, len(queries), QUERY_BLOCK):
        rows = queries[begin : begin + QUERY_BLOCK].float()
        affinity = rows.new_empty((len(rows), 0))
        candidates = indices.new_empty((len(rows), 0))
        for start in range(0, len(bank), step):
            block = affinities(rows, bank[start : start + step], bias[start : start + step])
            columns = torch.arange(start, start + block.shape[1], device=bank.device)
            affinity = torch.cat([affinity, block], dim=1)
            candidates = torch.cat([candidates, columns.expand(len(rows), -1)], dim=1)
            affinity, kept = affinity.topk(min(k, affinity.shape[1]), dim=1)
            candidates = candidates.gather(1, kept)
        exact = torch.stack([_distances(rows, bank, column) for column in candidates.T], dim=1)
        # Affinities are rounded more coarsely than distances: neighbours may have to swap.
        order = exact.argsort(dim=1, stable=True)
        distances[begin : begin + len(rows)] = exact.gather(1, order)
        indices[begin : begin + len(rows)] = candidates.gather(1, order)
    return distances, indices


def affinities(queries: Tensor, bank: Tensor, bias: Tensor, out: Tensor | None = None) -> Tensor:
    """Return q.k - |k|^2 / 2, float32 (Q, M), of queries (Q, d) in float32 and a bank (M, d)."""
    return torch.addmm(bias, queries, bank.float().T, out=out)


def largest_affinities(queries: Tensor, bank: Tensor, bias: Tensor) -> Tensor:
    """Return the largest affinity of each query in each block of a bank, float32 (Q, blocks)."""
    size = min(bank_block(bank), max(1, len(bank)))
    # One buffer for all products: a new one each time costs more in page faults than the maximum.
    buffer = queries.new_empty(len(queries) * size)
    maxima = []
    for block, part in zip(bank.split(size), bias.split(size), strict=True):
        product = buffer[: len(queries) * len(part)].view(len(queries), len(part))
        maxima.append(affinities(queries, block, part, out=product).amax(dim=1))
    return torch.stack(maxima, dim=1)


def bank_block(bank: Tensor) -> int:
    """Return how many entries of a bank one product takes, by the device that it lies on."""
    return BANK_BLOCK if bank.device.type == "cpu" else ACCELERATOR_BLOCK


def static_nearest_neighbour(queries: Tensor, bank: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `nearest_neighbour` does, of float32 queries (Q, d) in a bank with entries."""
    best, indices = queries.new_empty(0), queries.new_empty(0, dtype=torch.int64)
    for start in range(0, bank.shape[0], STATIC_BLOCK):
        block = bank[start : start + STATIC_BLOCK].float()
        affinity = queries @ block.T + bias[start : start + STATIC_BLOCK]
        largest, index = affinity.max(dim=1)
        if start == 0:
            best, indices = largest, index
        else:
            indices = torch.where(largest > best, index + start, indices)
            best = torch.maximum(largest, best)
    return (queries - bank[indices].float()).square().sum(dim=1).sqrt(), indices


def static_nearest_neighbours(
    queries: Tensor, bank: Tensor, k: int, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what `nearest_neighbours` does, of a few float32 queries (Q, d), with k at most M."""
    indices = (queries @ bank.float().T + bias).topk(k, dim=1).indices
    return (queries[:, None] - bank[indices].float()).square().sum(dim=2).sqrt(), indices


def static_nearest_distance(queries: Tensor, bank: Tensor, bias: Tensor) -> Tensor:
    """Return squared distances of float32 queries (Q, d) to the nearest entries, float32 (Q,).

    An OpenVINO graph of these small products is faster than torch, one that looks for positions is
    half as fast. |q|^2 - 2 max(q.k - |k|^2 / 2) is as exact as float32 is at |q|^2.
    """
    blocks = zip(bank.float().split(BANK_BLOCK), bias.split(BANK_BLOCK), strict=True)
    largest = [(queries @ block.T + part).amax(dim=1, keepdim=True) for block, part in blocks]
    nearest = torch.cat(largest, dim=1).amax(dim=1)
    return (queries.square().sum(dim=1) - 2 * nearest).clamp_min(0)


def _nearest_indices(queries: Tensor, bank: Tensor, bias: Tensor) -> Tensor:
    """Return the nearest entry of each query, int64 (Q,)."""
    size = bank_block(bank)
    blocks = largest_affinities(queries, bank, bias).argmax(dim=1)
    indices = torch.empty_like(blocks)
    for block in blocks.unique().tolist():
        rows = (blocks == block).nonzero().squeeze(1)
        part = slice(block * size, (block + 1) * size)
        indices[rows] = affinities(queries[rows], bank[part], bias[part]).argmax(dim=1) + part.start
    return indices


def _distances(queries: Tensor, bank: Tensor, indices: Tensor) -> Tensor:
    """Return the Euclidean distance of each query to one entry of the bank, float32 (Q,)."""
    parts = [
        (rows.float() - bank[part].float()).square().sum(dim=1).sqrt()
        for rows, part in zip(queries.split(QUERY_BLOCK), indices.split(QUERY_BLOCK), strict=True)
    ]
    return torch.cat([*parts, queries.new_empty(0, dtype=torch.float32)])


def _check(queries: Tensor, bank: Tensor) -> None:
    if bank.ndim != 2 or len(bank) == 0:
        raise ZooError("the memory bank is empty: fit the model on normal images first")
    if queries.ndim != 2 or queries.shape[1] != bank.shape[1]:
        raise ZooError(
            f"queries of shape {tuple(queries.shape)} do not fit a memory bank of {bank.shape[1]} "
            "features: both must come from the same backbone and layers"
        )
