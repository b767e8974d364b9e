"""A memory bank that is searched many times, in torch or with an optional library.

All three return the same: Euclidean distances, computed from differences in float32, and the index
of the nearest entry. `faiss` (Flat L2) and `openvino` only make the product faster; where the
distances of two entries differ by less than float32 can tell, either may be named.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import Tensor

from zoo.methods.memory_bank.neighbours import (
    BANK_BLOCK,
    affinity_bias,
    check_searchable,
    distances_to,
    indices_in_blocks,
    nearest_neighbour,
)
from zoo.utils.errors import ZooError, nearest

Backend = Literal["torch", "faiss", "openvino"]
Search = Callable[[Tensor], tuple[Tensor, Tensor]]

_PACKAGES = {"faiss": "faiss-cpu", "openvino": "openvino"}


def make_search(bank: Tensor, backend: Backend = "torch") -> Search:
    """Return a function from queries (Q, d) to distances, float32 (Q,), and indices, int64 (Q,).

    Args:
        bank: Shape (M, d), float32, float16 or bfloat16; the libraries keep a copy in float32.
        backend: `torch` searches on the bank's device; `faiss` and `openvino` on the CPU.

    Raises:
        ZooError: Unknown backend, a library that is not installed, or an empty bank.
    """
    if backend not in get_args(Backend):
        raise ZooError(f"no search backend '{backend}'{nearest(backend, get_args(Backend))}")
    package = _PACKAGES.get(backend)
    if package and find_spec(backend) is None:
        raise ZooError(f"search backend '{backend}' is not installed: pip install {package}")
    check_searchable(bank[:0], bank)
    if backend == "faiss":
        return _faiss_search(bank)
    if backend == "openvino":
        return _openvino_search(bank)
    bias = affinity_bias(bank)
    return lambda queries: nearest_neighbour(queries, bank, bias)


def _faiss_search(bank: Tensor) -> Search:
    import faiss

    index = faiss.IndexFlatL2(bank.shape[1])
    index.add(bank.detach().cpu().float().numpy())

    def search(queries: Tensor) -> tuple[Tensor, Tensor]:
        check_searchable(queries, bank)
        faiss.omp_set_num_threads(torch.get_num_threads())
        rows = queries.detach().cpu().float().contiguous()
        found = torch.from_numpy(index.search(rows.numpy(), 1)[1]).squeeze(1).to(bank.device)
        return distances_to(queries, bank, found), found

    return search


def _openvino_search(bank: Tensor) -> Search:
    """Let OpenVINO find the block that holds the nearest entry; torch looks it up in there."""
    import openvino
    from openvino import opset13 as ops

    from zoo.predict.openvino_core import Requests, openvino_core

    entries, bias = bank.detach().cpu().float(), affinity_bias(bank).cpu()
    queries = ops.parameter([-1, bank.shape[1]], openvino.Type.f32)
    maxima = []
    for block, block_bias in zip(entries.split(BANK_BLOCK), bias.split(BANK_BLOCK), strict=True):
        product = ops.matmul(queries, ops.constant(block.numpy()), False, True)
        affinity = ops.add(product, ops.constant(block_bias[None].numpy()))
        maxima.append(ops.reduce_max(affinity, ops.constant([1]), keep_dims=True))
    graph = openvino.Model([ops.concat(maxima, 1)], [queries])
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # bfloat16, where the processor has it, moves indices
    }
    run = Requests(openvino_core().compile_model(graph, "CPU", settings))

    def search(rows: Tensor) -> tuple[Tensor, Tensor]:
        check_searchable(rows, bank)
        rows = rows.detach().cpu().float()
        blocks = torch.from_numpy(run(rows.numpy())[0]).argmax(dim=1)
        found = indices_in_blocks(rows, entries, bias, blocks)
        return distances_to(rows, entries, found).to(bank.device), found.to(bank.device)

    return search
