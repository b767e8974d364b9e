"""Training batches: what they depend on, and that they can be gone on with."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from zoo.data.order import KeyedLoader
from zoo.utils.seeding import generator_states, isolated_rng, keyed, restore_generators


class Drawn(Dataset):
    """Items that draw from all three generators."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        drawn = (random.random(), np.random.rand(), float(torch.rand(())))  # noqa: NPY002
        return torch.tensor([index, *drawn], dtype=torch.float64)


def loader(seed=0, **options):
    return KeyedLoader(Drawn(), 3, seed, **options)


def epochs(batches, count):
    return [list(batches) for _ in range(count)]


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_every_epoch_has_every_item_once_in_another_order():
    first, second = epochs(loader(), 2)
    assert [len(batch) for batch in first] == [3, 3, 1]
    indices = [torch.cat(epoch)[:, 0].tolist() for epoch in (first, second)]
    assert sorted(indices[0]) == sorted(indices[1]) == list(range(7))
    assert indices[0] != indices[1]


def test_the_seed_decides_everything_and_workers_nothing():
    first = epochs(loader(), 1)[0]
    torch.rand(5)  # whatever else was drawn
    assert same(epochs(loader(), 1)[0], first)
    assert same(epochs(loader(num_workers=2), 1)[0], first)
    assert not same(epochs(loader(seed=1), 1)[0], first)


def test_an_item_draws_otherwise_in_every_epoch():
    by_index = [{float(row[0]): row for row in torch.cat(part)} for part in epochs(loader(), 2)]
    assert all((by_index[0][i][1:] != by_index[1][i][1:]).all() for i in map(float, range(7)))


@pytest.mark.parametrize("handed_out", range(7))
def test_it_goes_on_where_it_was(handed_out):
    whole = [batch for epoch in epochs(loader(), 3) for batch in epoch]
    interrupted, before = loader(), []
    while len(before) < handed_out:
        for batch in interrupted:
            before.append(batch)
            if len(before) == handed_out:
                break
    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())
    after = []
    while len(after) < 9 - handed_out:
        after += list(resumed)
    assert same(before + after, whole)


def test_the_rest_of_a_program_draws_as_if_nothing_happened():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(loader())
    assert torch.equal(torch.rand(2), expected)


def test_a_block_draws_under_its_seed_and_disturbs_nothing():
    def drawn():
        return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    before = generator_states()
    with isolated_rng(5):
        first = drawn()
    with isolated_rng(5):
        assert drawn() == first
    after = drawn()
    restore_generators(before)
    assert drawn() == after


def test_keys_differ():
    assert len({keyed(seed, epoch) for seed in range(20) for epoch in range(20)}) == 400
