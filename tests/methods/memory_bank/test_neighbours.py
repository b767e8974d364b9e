"""Blocked nearest neighbours against brute force in float64."""

import pytest
import torch

from zoo.methods.memory_bank import neighbours
from zoo.methods.memory_bank.neighbours import (
    STATIC_BLOCK,
    affinity_bias,
    nearest_neighbour,
    nearest_neighbours,
    static_nearest_distance,
    static_nearest_neighbour,
    static_nearest_neighbours,
)
from zoo.utils.errors import ZooError

SHAPES = [(1, 1, 3), (5, 1, 8), (3, 700, 16), (1500, 600, 24), (1024, 512, 5), (2050, 1025, 7)]


def _features(n, width, seed, offset=3.0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) + offset


def _brute_force(queries, bank, k):
    return torch.cdist(queries.double(), bank.double()).topk(k, dim=1, largest=False)


@pytest.mark.parametrize(("n_queries", "n_entries", "width"), SHAPES)
def test_one_neighbour_is_that_of_brute_force(n_queries, n_entries, width):
    queries, bank = _features(n_queries, width, 0), _features(n_entries, width, 1)
    expected = _brute_force(queries, bank, 1)
    distances, indices = nearest_neighbour(queries, bank)
    assert torch.equal(indices, expected.indices[:, 0])
    torch.testing.assert_close(distances, expected.values[:, 0].float(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize(("n_queries", "n_entries"), [(7, 9), (3, 700), (1030, 1100)])
def test_more_neighbours_are_those_of_brute_force(n_queries, n_entries, k):
    queries, bank = _features(n_queries, 12, 0), _features(n_entries, 12, 1)
    expected = _brute_force(queries, bank, k)
    distances, indices = nearest_neighbours(queries, bank, k)
    assert torch.equal(indices, expected.indices)
    torch.testing.assert_close(distances, expected.values.float(), rtol=1e-6, atol=1e-6)


def test_fewer_entries_than_asked_for_are_all_returned():
    distances, indices = nearest_neighbours(_features(4, 3, 0), _features(2, 3, 1), 5)
    assert distances.shape == (4, 2)
    assert indices.sort(dim=1).values.tolist() == [[0, 1]] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_banks_are_searched_in_float32(dtype):
    queries, bank = _features(50, 32, 0), _features(800, 32, 1).to(dtype)
    expected = _brute_force(queries, bank.float(), 1)
    distances, indices = nearest_neighbour(queries, bank)
    assert distances.dtype == torch.float32
    assert torch.equal(indices, expected.indices[:, 0])
    torch.testing.assert_close(distances, expected.values[:, 0].float(), rtol=1e-6, atol=1e-6)


def test_an_entry_is_at_distance_zero_of_itself_however_long_it_is():
    bank = _features(900, 64, 0, offset=100.0)
    distances, indices = nearest_neighbour(bank, bank)
    assert torch.equal(indices, torch.arange(900))
    assert not distances.any()


def test_no_queries_give_no_neighbours():
    distances, indices = nearest_neighbour(torch.empty(0, 3), _features(5, 3, 0))
    assert distances.shape == indices.shape == (0,)


def test_products_stay_small(monkeypatch):
    sizes = []
    plain = neighbours.affinities

    def watched(*arguments, **options):
        result = plain(*arguments, **options)
        sizes.append(result.numel())
        return result

    monkeypatch.setattr(neighbours, "affinities", watched)
    nearest_neighbour(_features(3000, 4, 0), _features(5000, 4, 1))
    assert max(sizes) <= neighbours.QUERY_BLOCK * neighbours.BANK_BLOCK


def test_the_bias_is_half_the_squared_norm():
    bank = _features(2000, 6, 0)
    torch.testing.assert_close(affinity_bias(bank), -bank.square().sum(dim=1) / 2)


@pytest.mark.parametrize(
    ("queries", "bank", "says"),
    [
        ((2, 3), (0, 3), "the memory bank is empty: fit"),
        ((2, 3), (0,), "the memory bank is empty: fit"),
        ((2, 3), (5, 4), "do not fit a memory bank of 4 features"),
    ],
)
def test_what_cannot_be_searched_is_one_line(queries, bank, says):
    for search in (nearest_neighbour, lambda q, b: nearest_neighbours(q, b, 2)):
        with pytest.raises(ZooError, match=says):
            search(torch.zeros(queries), torch.zeros(bank))


def test_no_neighbours_cannot_be_asked_for():
    with pytest.raises(ZooError, match="0 nearest neighbours"):
        nearest_neighbours(torch.zeros(1, 2), torch.zeros(1, 2), 0)


@pytest.mark.parametrize("n_entries", [1, 50, STATIC_BLOCK + 3])
def test_a_static_graph_finds_the_same(n_entries):
    queries, bank = _features(60, 8, 0, 0), _features(n_entries, 8, 1, 0)
    for k, (distances, indices) in {
        1: static_nearest_neighbour(queries, bank, affinity_bias(bank)),
        4: static_nearest_neighbours(queries, bank, min(4, n_entries), affinity_bias(bank)),
    }.items():
        expected = _brute_force(queries, bank, min(k, n_entries))
        assert torch.equal(indices.reshape(60, -1), expected.indices)
        torch.testing.assert_close(distances.reshape(60, -1), expected.values.float())


@pytest.mark.parametrize("n_entries", [1, 512, 1300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_static_distances_are_those_of_the_search(n_entries, dtype):
    queries, bank = _features(70, 24, 0, 0), _features(n_entries, 24, 1, 0).to(dtype)
    squares = static_nearest_distance(queries, bank, affinity_bias(bank))
    expected, _ = nearest_neighbour(queries, bank)
    torch.testing.assert_close(squares.sqrt(), expected, rtol=1e-5, atol=1e-5)


def test_a_static_distance_is_never_negative():
    bank = _features(9, 64, 1, 100.0)
    squares = static_nearest_distance(bank, bank, affinity_bias(bank))
    assert 0 <= squares.min() <= squares.max() < 1
