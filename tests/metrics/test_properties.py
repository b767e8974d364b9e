"""Properties of the metrics over random maps, against scikit-learn, scikit-image and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import measure
from sklearn.metrics import auc, f1_score, precision_recall_curve, roc_auc_score

from zoo.metrics import PixelCounts, PixelScores, image_auroc, image_f1_max
from zoo.metrics.curves import region_weights

# The same examples at every run, and no deadline: a busy machine must not fail a test.
steady = settings(deadline=None, derandomize=True, max_examples=40)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
# Few values, so that ties abound, among them neighbours that share a bin; of so few bins each is
# divided until every score counts as it is, so that results are exact.
VALUES = st.sampled_from([-3.0, -1e-30, 0.0, 0.1, 0.100001, 0.5, 0.50001, 7.0, 1e20])
# Without zeros and signs, between which lie hundreds of thousands of bins.
QUICK = st.sampled_from([0.1, 0.100001, 0.5, 0.50001, 0.9, 7.0])


@st.composite
def images(draw, values=VALUES):
    """Draw one to three images as (score map float32, truth bool)."""
    drawn = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(SHAPES)
        score_map = draw(hnp.arrays(np.float32, shape, elements=values.map(np.float32)))
        drawn.append((score_map, draw(hnp.arrays(bool, shape))))
    return drawn


def streamed(drawn) -> PixelScores:
    pixels = PixelScores()
    for score_map, truth in drawn:
        pixels.update(score_map, truth)
    return pixels


def flat(drawn) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([score_map.ravel() for score_map, _ in drawn])
    return np.concatenate([truth.ravel() for _, truth in drawn]), scores.astype(np.float64)


def best_f1(truth, scores) -> float:
    precision, recall, _ = precision_recall_curve(truth, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300)))


def au_pro(drawn, limit: float) -> float:
    """AU-PRO by its definition, with scikit-image's regions and scikit-learn's trapezoids."""
    truth, scores = flat(drawn)
    regions = [
        score_map[tuple(each.coords.T)].astype(np.float64)
        for score_map, mask in drawn
        for each in measure.regionprops(measure.label(mask, connectivity=2))
    ]
    rate, overlap = [0.0], [0.0]
    for threshold in np.unique(scores)[::-1]:
        rate.append(np.mean(scores[~truth] >= threshold))
        overlap.append(np.mean([np.mean(region >= threshold) for region in regions]))
    inside = [i for i, each in enumerate(rate) if each <= limit]
    x, y = [rate[i] for i in inside], [overlap[i] for i in inside]
    beyond = len(inside)
    if beyond < len(rate):
        part = (limit - x[-1]) / (rate[beyond] - x[-1])
        x, y = [*x, limit], [*y, y[-1] + part * (overlap[beyond] - y[-1])]
    return auc(x, y) / limit if len(x) > 1 else 0.0


@steady
@given(images())
def test_pixel_metrics_are_those_of_scikit_learn(drawn):
    truth, scores = flat(drawn)
    pixels = streamed(drawn)
    if not truth.any():
        assert pixels.oracle_segf1 is pixels.pixel_auroc is pixels.au_pro() is None
        return
    assert pixels.oracle_segf1 == pytest.approx(best_f1(truth, scores), abs=1e-12)
    marked = scores >= pixels.oracle_threshold
    assert f1_score(truth, marked) == pytest.approx(pixels.oracle_segf1, abs=1e-12)
    if truth.all():
        assert pixels.pixel_auroc is pixels.au_pro() is None
        return
    assert pixels.pixel_auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    for limit in (0.05, 0.3, 1.0):
        assert pixels.au_pro(limit) == pytest.approx(au_pro(drawn, limit), abs=1e-10)


@steady
@given(images(values=QUICK), st.randoms(use_true_random=False))
def test_parts_merge_in_any_order(drawn, random):
    whole = streamed(drawn)
    parts = [streamed([image]) for image in drawn]
    random.shuffle(parts)
    merged = sum(parts, PixelScores())
    assert merged.n_regions == whole.n_regions
    for name in ("pixel_auroc", "oracle_segf1", "oracle_threshold"):
        assert getattr(merged, name) == pytest.approx(getattr(whole, name), abs=1e-12)
    assert merged.au_pro(0.3) == pytest.approx(whole.au_pro(0.3), abs=1e-12)


@steady
@given(images(), st.floats(-4, 8, width=32))
def test_counts_are_those_of_scikit_learn(drawn, threshold):
    truth, scores = flat(drawn)
    counts = PixelCounts()
    for score_map, mask in drawn:
        counts.update(score_map > threshold, mask)
    expected = f1_score(truth, scores > threshold, zero_division=np.nan)
    assert (counts.segf1 is None) == np.isnan(expected)
    if counts.segf1 is not None:
        assert counts.segf1 == pytest.approx(expected, abs=1e-12)
        assert counts.segf1 <= max(best_f1(truth, scores), 0) + 1e-12 if truth.any() else True
        sides = counts.precision or 0.0, counts.recall or 0.0
        assert min(sides) <= counts.segf1 + 1e-12
        assert counts.segf1 <= max(sides) + 1e-12
    assert counts.tp + counts.fp + counts.fn + counts.tn == truth.size


@steady
@given(images())
def test_a_rising_change_of_scores_moves_no_metric(drawn):
    plain = streamed(drawn)
    order = np.unique(np.concatenate([score_map.ravel() for score_map, _ in drawn]))
    ranked = [(np.searchsorted(order, score_map), truth) for score_map, truth in drawn]
    ranks = streamed(ranked)
    for name in ("pixel_auroc", "oracle_segf1"):
        assert getattr(ranks, name) == pytest.approx(getattr(plain, name), abs=1e-12)
    assert ranks.au_pro() == pytest.approx(plain.au_pro(), abs=1e-12)


@steady
@given(hnp.arrays(bool, SHAPES))
def test_every_region_of_scipy_weighs_one(truth):
    if not truth.any():
        return
    weights, count = region_weights(truth)
    labels, expected = ndimage.label(truth, structure=np.ones((3, 3)))
    assert count == expected
    sums = ndimage.sum_labels(np.ones_like(weights), labels[truth], range(1, count + 1))
    np.testing.assert_allclose(weights, 1 / sums[labels[truth] - 1])


@steady
@given(st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=30))
def test_image_metrics_are_those_of_scikit_learn(drawn):
    scores, labels = (np.array(column) for column in zip(*drawn, strict=True))
    if not labels.any():
        assert image_auroc(scores, labels) is image_f1_max(scores, labels) is None
        return
    assert image_f1_max(scores, labels) == pytest.approx(best_f1(labels, scores), abs=1e-12)
    if labels.all():
        assert image_auroc(scores, labels) is None
        return
    assert image_auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
