"""The histogram of scores: order of bins, exactness of quantiles, merging, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from zoo.metrics import ScoreHistogram
from zoo.metrics.histogram import bin_edges, common_parts, score_bins
from zoo.utils.errors import ZooError

RELATIVE_WIDTH = 2.0**-12


def _histogram(*arrays) -> ScoreHistogram:
    histogram = ScoreHistogram()
    for array in arrays:
        histogram.update(array)
    return histogram


def _assert_same(one: ScoreHistogram, other: ScoreHistogram) -> None:
    one, other = one.to_arrays(), other.to_arrays()
    assert one["mantissa_bits"] == other["mantissa_bits"]
    np.testing.assert_array_equal(one["bins"], other["bins"])
    np.testing.assert_array_equal(one["counts"], other["counts"])


def _scores(kind: str, count: int = 20_000) -> np.ndarray:
    generator = np.random.default_rng(11)
    if kind == "positive":
        values = generator.gamma(2.0, 0.3, count)
    elif kind == "signed":
        values = generator.normal(0.0, 3.0, count)
    elif kind == "negative":
        values = -generator.gamma(2.0, 0.3, count)
    elif kind == "tied":
        values = generator.integers(-5, 6, count) / 4
    elif kind == "offset":
        values = 100 + generator.random(count)
    elif kind == "constant":
        values = np.full(count, 0.3)
    else:  # huge: all of float32
        values = 10.0 ** generator.uniform(-37, 38, count) * generator.choice([-1, 1], count)
    return values.astype(np.float32)


KINDS = ["positive", "signed", "negative", "tied", "offset", "constant", "huge"]


def test_bins_follow_the_order_of_all_finite_floats():
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint64)
    values = bits.astype(np.uint32).view(np.float32)
    values = np.sort(values[np.isfinite(values)])
    bins = score_bins(values)
    assert (np.diff(bins) >= 0).all()
    assert bins[-1] - bins[0] < 2**21
    # Every value lies in its bin, borders included.
    assert (bin_edges(bins) <= values).all()
    assert (values < bin_edges(bins + 1)).all()


def test_an_edge_is_the_smallest_score_of_its_bin():
    bins = np.unique(score_bins(_scores("huge")))
    edges = bin_edges(bins).astype(np.float32)
    np.testing.assert_array_equal(score_bins(edges), bins)
    below = np.nextafter(edges, np.float32(-np.inf))
    np.testing.assert_array_equal(score_bins(below), bins - 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_bins_have_the_promised_relative_width(sign):
    values = sign * np.geomspace(1e-37, 1e38, 5000, dtype=np.float32)
    bins = score_bins(values)
    width = bin_edges(bins + 1) - bin_edges(bins)
    assert (width <= np.abs(values.astype(np.float64)) * RELATIVE_WIDTH * (1 + 1e-3)).all()
    assert (width >= np.abs(values.astype(np.float64)) * RELATIVE_WIDTH / 2 * (1 - 1e-3)).all()


def test_negative_zero_is_zero():
    _assert_same(_histogram(np.float32([-0.0, 0.0])), _histogram(np.float32([0.0, 0.0])))


def test_half_precision_scores_never_share_a_bin():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = np.unique(halves[np.isfinite(halves)])  # -0.0 and 0.0 are one value
    histogram = _histogram(halves)
    assert histogram.levels()[1].max() == 1
    assert histogram.total == halves.size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.07, 0.5, 0.95, 0.999, 1.0])
def test_quantile_is_at_most_one_bin_above_the_exact_one(kind, share):
    scores = _scores(kind)
    result = _histogram(scores).quantile(share)
    # numpy's inverted_cdf, but for 0.07 * 20000, which it rounds up to the next score
    rank = max(math.ceil(Fraction(str(share)) * scores.size), 1)
    exact = float(np.sort(scores)[rank - 1])
    assert exact <= result <= exact + abs(exact) * RELATIVE_WIDTH + 1e-41
    assert (scores >= result).mean() <= 1 - share + 1e-9


@pytest.mark.parametrize("size", [1, 7, 10, 100, 1000])
def test_quantile_is_not_moved_by_rounding(size):
    scores = np.arange(1, size + 1, dtype=np.float32)
    histogram = _histogram(scores)
    for rank in range(1, size + 1):
        assert rank <= histogram.quantile(rank / size) < rank + 1


def test_quantile_without_scores_and_outside_its_range():
    assert ScoreHistogram().quantile(0.5) is None
    with pytest.raises(ZooError, match=r"quantile\(1\.5\)"):
        _histogram(_scores("tied")).quantile(1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_edges_and_counts_describe_the_scores(kind):
    scores = np.sort(_scores(kind))
    [(lower, upper, counts)] = common_parts(_histogram(scores))
    ends = np.searchsorted(scores, upper)  # upper edges belong to the next part
    np.testing.assert_array_equal(ends - np.searchsorted(scores, lower), counts)
    assert counts.min() > 0
    assert (lower < upper).all()
    assert (lower[1:] >= upper[:-1]).all()


@pytest.mark.parametrize("offset", [1e4, -1e4, 3e5])
def test_scores_behind_a_large_offset_keep_their_order(offset):
    scores = (offset + np.random.default_rng(0).normal(size=50_000)).astype(np.float32)
    levels, counts = _histogram(scores[:100], scores[100:]).levels()
    np.testing.assert_array_equal([levels, counts], np.unique(scores, return_counts=True))


def test_a_few_scores_far_away_do_not_hide_the_order_of_the_others():
    scores = (1e4 + np.random.default_rng(0).normal(size=50_000)).astype(np.float32)
    far = np.float32([0, -3e4, 1e-6, 2e6])
    assert np.isin(scores, _histogram(far, scores).levels()[0]).all()


def test_room_is_bounded_whatever_comes():
    histogram = _histogram(_scores("huge"))
    assert histogram.part_bits == 0
    assert histogram.size < 2**21
    assert _histogram(_scores("positive")).size <= 2**15
    assert _histogram(_scores("offset")).size <= 2**15


def test_histograms_compare_in_parts_of_the_coarser_one():
    fine, coarse = _histogram(_scores("offset")), _histogram(_scores("huge"), _scores("offset"))
    assert fine.part_bits > coarse.part_bits
    (mine, _, counts), (theirs, _, _) = common_parts(fine, coarse)
    assert np.isin(mine, theirs).all()
    assert counts.sum() == fine.total


@pytest.mark.parametrize("kind", KINDS)
def test_merging_and_order_change_nothing(kind):
    parts = np.split(_scores(kind), [3, 500, 501, 9000])
    once = _histogram(np.concatenate(parts))
    _assert_same(_histogram(*parts), once)
    _assert_same(_histogram(*parts[::-1]), once)
    _assert_same(_histogram(*parts[3:]) + ScoreHistogram() + _histogram(*parts[:3]), once)


def test_merging_leaves_its_parts_alone():
    one, other = _histogram(_scores("positive")), _histogram(_scores("negative"))
    before = one.to_arrays()["counts"]
    merged = one + other
    merged.update(_scores("positive"))
    np.testing.assert_array_equal(one.to_arrays()["counts"], before)


@pytest.mark.parametrize("kind", ["positive", "signed"])
def test_maps_of_many_passes_equal_small_pieces(kind):
    # 700,000 scores take several passes; pieces of 5,000 go the way of few scores.
    scores = np.resize(_scores(kind, 70_000), 700_000)
    _assert_same(_histogram(scores.reshape(700, 1000)), _histogram(*np.split(scores, 140)))


def test_the_number_of_scores_does_not_change_the_size():
    scores = _scores("positive")
    histogram = _histogram(scores)
    size = histogram.size
    for _ in range(20):
        histogram.update(scores)
    assert histogram.size == size
    assert histogram.total == 21 * scores.size


@pytest.mark.parametrize(
    "change",
    [
        lambda scores: np.repeat(scores, 2, axis=1)[:, ::2],
        lambda scores: scores[::-1, ::-1],
        np.asfortranarray,
        lambda scores: scores.astype(np.float64),
        lambda scores: scores.tolist(),
    ],
)
def test_layout_and_dtype_do_not_matter(change):
    scores = _scores("signed").reshape(100, 200)
    _assert_same(_histogram(change(scores)), _histogram(scores))


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int32, np.bool_])
def test_other_dtypes_count_as_their_values(dtype):
    scores = (np.arange(600).reshape(20, 30) % 7).astype(dtype)
    _assert_same(_histogram(scores), _histogram(scores.astype(np.float32)))


@pytest.mark.parametrize("kind", ["positive", "signed"])
@pytest.mark.parametrize("size", [40, 20_000])
def test_weights(kind, size):
    scores = _scores(kind, size)
    weights = np.random.default_rng(1).random(size)
    histogram, scaled = ScoreHistogram(), ScoreHistogram()
    histogram.update(scores, weights)
    levels, counts = histogram.levels()
    expected = np.zeros(levels.size)
    np.add.at(expected, np.searchsorted(levels, scores, side="right") - 1, weights)
    np.testing.assert_allclose(counts, expected, rtol=1e-12)
    assert histogram.total == pytest.approx(weights.sum(), rel=1e-12)
    scaled.update(scores, weight=0.5)
    assert scaled.total == size / 2
    scaled.update(scores, weight=-0.5)
    _assert_same(scaled, ScoreHistogram())


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ZooError, match=r"\(3,\).*\(4,\)"):
        ScoreHistogram().update(np.zeros(4), np.ones(3))


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_round_trip(kind):
    histogram = _histogram(_scores(kind))
    _assert_same(ScoreHistogram.from_arrays(histogram.to_arrays()), histogram)


def test_arrays_leave_out_what_was_taken_back():
    histogram = _histogram(np.float32([-8, 1, 2, 4]))
    histogram.update(np.float32([-8, 4]), weight=-1.0)
    arrays = histogram.to_arrays()
    assert arrays["counts"].tolist() == [1, 1]
    assert ScoreHistogram.from_arrays(arrays).levels()[0].tolist() == [1, 2]
    _assert_same(histogram, _histogram(np.float32([1, 2])))
    assert histogram.quantile(0.5) == _histogram(np.float32([1, 2])).quantile(0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"mantissa_bits": np.array(24)},
        {"mantissa_bits": np.array(11)},
        {"counts": np.ones(3)},
        {"counts": np.array([1.0, np.nan])},
        {"bins": np.array([7, 7])},
        {"bins": np.array([0, 2**40])},
    ],
)
def test_arrays_of_something_else_are_refused(change):
    arrays = _histogram(np.float32([1, 2])).to_arrays()
    with pytest.raises(ValueError, match=r"bins|counts"):
        ScoreHistogram.from_arrays(arrays | change)


def test_empty_arrays_count_nothing():
    histogram = _histogram(np.zeros((0, 5), np.float32))
    assert histogram.total == 0
    assert histogram.to_arrays()["counts"].size == 0
    _assert_same(ScoreHistogram.from_arrays(histogram.to_arrays()), ScoreHistogram())


@pytest.mark.parametrize(
    ("wrong", "dtype", "words"),
    [
        ([np.nan, np.nan], np.float32, "2 NaN and 0 infinite"),
        ([np.inf, -np.inf], np.float16, "0 NaN and 2 infinite"),
        ([np.nan, -np.inf], np.float64, "1 NaN and 1 infinite"),
        ([1e300, 0.0], np.float64, "0 NaN and 1 infinite"),
    ],
)
def test_wrong_scores_are_counted_in_one_line_and_nothing_is_kept(wrong, dtype, words):
    scores = np.ones((4, 5), dtype)
    scores[2, 1:3] = wrong
    histogram = _histogram(np.float32([3.0]))
    with pytest.raises(ZooError) as caught:
        histogram.update(scores, name="map of 000_regular")
    text = str(caught.value)
    assert text.startswith("map of 000_regular of shape (4, 5) holds " + words)
    assert "\n" not in text
    _assert_same(histogram, _histogram(np.float32([3.0])))
