"""Distances for export are those of the search that looks at differences."""

import pytest
import torch

from zoo.methods.memory_bank.neighbours import affinity_bias, nearest_neighbour
from zoo.methods.memory_bank.static_distance import static_nearest_distance


@pytest.mark.parametrize("n_entries", [1, 512, 1300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_distances_are_those_of_the_search(n_entries, dtype):
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(70, 24, generator=generator)
    bank = torch.randn(n_entries, 24, generator=generator).to(dtype)
    squares = static_nearest_distance(queries, bank, affinity_bias(bank))
    expected, _ = nearest_neighbour(queries, bank)
    torch.testing.assert_close(squares.sqrt(), expected, rtol=1e-5, atol=1e-5)


def test_an_entry_of_the_bank_is_at_no_negative_distance():
    bank = 100 * torch.randn(9, 64, generator=torch.Generator().manual_seed(1))
    squares = static_nearest_distance(bank, bank, affinity_bias(bank))
    assert 0 <= squares.min() <= squares.max() < 1
