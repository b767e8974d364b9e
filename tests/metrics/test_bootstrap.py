"""Resampled figures against scikit-learn and figures by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from zoo.metrics.bootstrap import auroc_of, draws, f1_of, interval


def test_photographs_of_one_item_come_along_together():
    times = draws(["a", "b", "a", "c"], 200)
    assert times.shape == (200, 4)
    assert (times[:, 0] == times[:, 2]).all()
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many items as there are
    assert len(np.unique(times, axis=0)) > 5


def test_the_same_groups_give_the_same_draws():
    assert (draws(range(7)) == draws("abcdefg")).all()


@pytest.mark.parametrize("seed", range(5))
def test_auroc_of_a_resample_is_that_of_repeated_images(seed):
    generator = np.random.default_rng(seed)
    scores, labels = generator.integers(0, 5, 30) / 4, generator.integers(0, 2, 30)  # ties
    times = draws(range(30), 20)
    for weights, found in zip(times, auroc_of(times, scores, labels), strict=True):
        repeated = np.repeat(np.arange(30), weights.astype(int))
        assert found == pytest.approx(roc_auc_score(labels[repeated], scores[repeated]), abs=1e-6)


def test_a_resample_of_one_class_has_no_auroc():
    found = auroc_of(
        np.array([[1, 1, 0], [1, 0, 1]], np.float32), np.arange(3), np.array([0, 0, 1])
    )
    assert np.isnan(found[0])
    assert found[1] == 1


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
