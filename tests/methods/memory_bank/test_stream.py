"""Streams of features stay inside their budget and keep a uniform sample."""

import pytest
import torch

from zoo.methods.memory_bank.stream import FeatureStream, check_bank
from zoo.utils.errors import ZooError

WIDTH = 10
ROW_MB = WIDTH * 4 / 1e6


def _numbered(begin, end):
    """Rows that say which they are."""
    return torch.arange(begin, end, dtype=torch.float32)[:, None].expand(-1, WIDTH).clone()


def _filled(stream, n_rows, per_call):
    for begin in range(0, n_rows, per_call):
        stream.add(_numbered(begin, min(begin + per_call, n_rows)))
    return stream


def test_all_rows_are_kept_in_order_while_they_fit():
    stream = _filled(FeatureStream(budget_mb=100 * ROW_MB), 100, per_call=7)
    assert stream.n_seen == len(stream) == 100
    assert not stream.is_sample
    assert torch.equal(stream.take(), _numbered(0, 100))
    assert len(stream) == stream.n_seen == 0


@pytest.mark.parametrize("per_call", [1, 13, 500])
def test_beyond_the_budget_rows_are_drawn_without_repetition(per_call):
    stream = _filled(FeatureStream(budget_mb=100 * ROW_MB), 1000, per_call)
    assert stream.is_sample
    kept = stream.take()
    assert kept.shape == (100, WIDTH)
    assert len(kept[:, 0].unique()) == 100
    assert (kept == kept[:, :1]).all()


def test_early_and_late_rows_have_the_same_chance():
    counts = torch.zeros(200)
    for seed in range(300):
        stream = _filled(FeatureStream(budget_mb=50 * ROW_MB, seed=seed), 200, per_call=16)
        counts[stream.take()[:, 0].long()] += 1
    expected, deviation = 75, (300 * 0.25 * 0.75) ** 0.5
    assert abs(counts - expected).max() < 5 * deviation
    for part in counts.split(50):
        assert abs(part.mean() - expected) < 5 * deviation / 50**0.5


def test_the_seed_decides():
    def drawn(seed):
        return _filled(FeatureStream(budget_mb=20 * ROW_MB, seed=seed), 300, 11).take()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_half_precision_keeps_twice_as_many():
    stream = FeatureStream(budget_mb=100 * ROW_MB, dtype=torch.bfloat16)
    assert stream.capacity(WIDTH) == 200
    assert _filled(stream, 300, 50).take().dtype == torch.bfloat16


def test_what_is_kept_does_not_hold_on_to_the_batch():
    stream, batch = FeatureStream(budget_mb=1), _numbered(0, 4)
    stream.add(batch)
    batch.zero_()
    assert torch.equal(stream.take(), _numbered(0, 4))


def test_nothing_added_is_one_line():
    with pytest.raises(ZooError, match="no features were added: there is no training image"):
        FeatureStream(1).take()


@pytest.mark.parametrize(
    ("budget_mb", "says"),
    [(0, "must be positive, not 0"), (-5, "must be positive"), (1e9, "more than the .* here")],
)
def test_a_budget_that_cannot_be_is_one_line(budget_mb, says):
    with pytest.raises(ZooError, match=says):
        FeatureStream(budget_mb)


def test_a_budget_below_one_row_is_one_line():
    with pytest.raises(ZooError, match="holds not one feature of 10 numbers: raise it"):
        FeatureStream(budget_mb=ROW_MB / 2).add(_numbered(0, 1))


def test_rows_of_another_width_are_one_line():
    stream = FeatureStream(1)
    stream.add(torch.ones(1, 3))
    with pytest.raises(ZooError, match="have 4 numbers, those before had 3"):
        stream.add(torch.ones(1, 4))


def test_a_bank_larger_than_the_budget_is_one_line():
    check_bank(1000, 10, torch.float32, budget_mb=0.04)
    with pytest.raises(ZooError, match=r"1,000 x 1000 takes 4 MB, more than bank_budget_mb of 3"):
        check_bank(1000, 1000, torch.float32, budget_mb=3)
