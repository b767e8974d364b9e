"""Resampled figures against scikit-learn and figures by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from zoo.metrics.bootstrap import auroc_of, draws, f1_of, interval, resampled_auroc, resampled_f1


def test_photographs_of_one_item_come_along_together():
    times = np.concatenate(list(draws(["a", "b", "a", "c"], 220)))
    assert times.shape == (220, 4)
    assert (times[:, 0] == times[:, 2]).all()
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many items as there are
    assert len(np.unique(times, axis=0)) > 5


def test_the_same_groups_give_the_same_draws():
    for one, other in zip(draws(range(7)), draws("abcdefg"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_of_a_resample_is_that_of_repeated_images(seed):
    generator = np.random.default_rng(seed)
    scores, labels = generator.integers(0, 5, 30) / 4, generator.integers(0, 2, 30)  # ties
    [times] = draws(range(30), 20)
    for weights, result in zip(times, auroc_of(times, scores, labels), strict=True):
        repeated = np.repeat(np.arange(30), weights.astype(int))
        assert result == pytest.approx(roc_auc_score(labels[repeated], scores[repeated]), abs=1e-6)


def test_a_resample_of_one_class_has_no_auroc():
    result = auroc_of(
        np.array([[1, 1, 0], [1, 0, 1]], np.float32), np.arange(3), np.array([0, 0, 1])
    )
    assert np.isnan(result[0])
    assert result[1] == 1


def test_f1_of_sums_is_that_of_the_pixels():
    generator = np.random.default_rng(0)
    mask, truth = generator.random((2, 50)) > 0.5
    counts = [(mask & truth).sum(), (mask & ~truth).sum(), (~mask & truth).sum()]
    assert f1_of(np.array(counts)) == pytest.approx(f1_score(truth, mask))
    assert np.isnan(f1_of(np.zeros(3)))


def test_an_interval_leaves_out_what_is_undefined():
    assert interval(np.array([*np.linspace(0, 1, 41), np.nan])) == pytest.approx((0.025, 0.975))
    assert interval(np.array([np.nan])) is None
    assert interval(np.empty(0)) is None


def test_all_resamples_are_those_of_the_blocks():
    generator = np.random.default_rng(1)
    counts, scores = generator.integers(0, 9, (12, 3)), generator.random(12)
    labels = np.arange(12) % 2
    times = np.concatenate(list(draws(range(12))))
    np.testing.assert_array_equal(resampled_f1(range(12), counts), f1_of(times @ counts))
    result = resampled_auroc(range(12), scores, labels)
    np.testing.assert_array_equal(result, auroc_of(times, scores, labels))
    assert len(result) == 1000
