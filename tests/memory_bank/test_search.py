"""Search backends find what brute force finds."""

import pytest
import torch

from zoo.methods.memory_bank import search
from zoo.methods.memory_bank.neighbours import affinity_bias
from zoo.methods.memory_bank.search import make_search
from zoo.methods.memory_bank.static import (
    STATIC_BLOCK,
    static_nearest_neighbour,
    static_nearest_neighbours,
)
from zoo.utils.errors import ZooError


def _features(n, width, seed):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("backend", ["torch", "faiss", "openvino"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_all_backends_agree(backend, dtype):
    if backend != "torch":
        pytest.importorskip(backend)
    queries, bank = _features(300, 20, 0), _features(1300, 20, 1).to(dtype)
    expected = torch.cdist(queries.double(), bank.double()).min(dim=1)
    find = make_search(bank, backend)
    for some in (queries, queries[:7], queries[:0]):
        distances, indices = find(some)
        assert torch.equal(indices, expected.indices[: len(some)])
        torch.testing.assert_close(
            distances, expected.values[: len(some)].float(), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("n_entries", [1, 50, STATIC_BLOCK + 3])
def test_the_exported_graph_finds_the_same(n_entries):
    queries, bank = _features(60, 8, 0), _features(n_entries, 8, 1)
    expected = torch.cdist(queries.double(), bank.double())
    distances, indices = static_nearest_neighbour(queries, bank, affinity_bias(bank))
    assert torch.equal(indices, expected.argmin(dim=1))
    torch.testing.assert_close(distances, expected.amin(dim=1).float())
    k = min(4, n_entries)
    distances, indices = static_nearest_neighbours(queries, bank, k, affinity_bias(bank))
    assert torch.equal(indices, expected.topk(k, largest=False).indices)
    torch.testing.assert_close(distances, expected.topk(k, largest=False).values.float())


def test_an_unknown_backend_names_the_others():
    with pytest.raises(ZooError, match="no search backend 'fais'; did you mean 'faiss'"):
        make_search(torch.ones(2, 2), "fais")


@pytest.mark.parametrize(("backend", "package"), [("faiss", "faiss-cpu"), ("openvino", "openvino")])
def test_a_library_that_is_missing_is_one_line(backend, package, monkeypatch):
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=f"'{backend}' is not installed: pip install {package}"):
        make_search(torch.ones(2, 2), backend)


def test_an_empty_bank_is_one_line():
    with pytest.raises(ZooError, match="the memory bank is empty"):
        make_search(torch.empty(0, 2))
