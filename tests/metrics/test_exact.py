"""The exact mode: what it keeps that bins merge, what it refuses; the rest is in properties."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zoo.metrics import PixelScores, save_splits
from zoo.metrics import exact as module
from zoo.metrics.exact import ExactScores
from zoo.utils.errors import ZooError


def test_scores_that_bins_merge_keep_their_order():
    generator = np.random.default_rng(0)
    truth = generator.random((300, 300)) < 0.2
    scores = 100 + 0.05 * generator.random(truth.shape) + 0.02 * truth
    scores[::2] = 10.0 ** generator.uniform(-30, 30, scores[::2].shape)  # fills all bins
    exact, binned = PixelScores.exact(), PixelScores()
    for pixels in (exact, binned):
        pixels.update(scores.astype(np.float32), truth)
    expected = roc_auc_score(truth.ravel(), scores.astype(np.float32).ravel())
    assert exact.pixel_auroc == pytest.approx(expected, abs=1e-12)
    assert abs(binned.pixel_auroc - expected) > 1e-3


def test_what_is_taken_back_leaves_nothing():
    scores = ExactScores()
    scores.update(np.array([1.0, 2.0, 3.0]))
    scores.update(np.array([2.0]), weight=-1.0)
    assert scores.values.tolist() == [1.0, 3.0]


def test_zeros_of_both_signs_are_one_score():
    scores = ExactScores()
    scores.update(np.array([0.0, -0.0]))
    assert scores.values.tolist() == [0.0]
    assert scores.total == 2


def test_merging_leaves_the_parts_as_they_were():
    one, other = ExactScores(), ExactScores()
    one.update(np.array([1.0]))
    other.update(np.array([1.0, 2.0]))
    merged = one + other
    assert merged.counts.tolist() == [2.0, 1.0]
    assert (one.total, other.total) == (1, 2)


@pytest.mark.parametrize("first", [PixelScores(), PixelScores.exact()])
def test_both_kinds_do_not_add_up(first):
    second = PixelScores() if first.is_exact else PixelScores.exact()
    with pytest.raises(ZooError, match="do not add up"):
        first + second


def test_a_large_set_is_sent_to_histograms(monkeypatch):
    monkeypatch.setattr(module, "MOST_SCORES", 10)
    pixels = PixelScores.exact()
    with pytest.raises(ZooError, match=r"more than 10 distinct scores.*PixelScores\(\)"):
        pixels.update(np.arange(12.0).reshape(3, 4), np.zeros((3, 4), bool))


def test_bad_scores_and_weights_are_refused():
    scores = ExactScores()
    with pytest.raises(ZooError, match="1 NaN"):
        scores.update(np.array([1.0, np.nan]))
    with pytest.raises(ZooError, match="one weight per score"):
        scores.update(np.ones(3), np.ones(2))
    assert scores.total == 0


def test_exact_scores_are_not_archived(tmp_path):
    with pytest.raises(ZooError, match="exact scores of one have no histogram"):
        save_splits(tmp_path / "h.npz", {"one": PixelScores.exact()})
    assert not list(tmp_path.iterdir())
