"""SegF1 against the worked example of the protocol and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from zoo.metrics import PixelCounts, segf1
from zoo.utils.errors import ZooError


def _count(pairs) -> PixelCounts:
    counts = PixelCounts()
    for mask, truth in pairs:
        counts.update(mask, truth)
    return counts


def _masks(seed: int, mask_share: float, truth_share: float, dtype: type, high: int):
    """Three images of different sizes, as lists of (mask, truth)."""
    generator = np.random.default_rng(seed)
    pairs = []
    for shape in [(17, 23), (1, 40), (31, 8)]:
        mask = (generator.random(shape) < mask_share).astype(dtype) * dtype(high)
        truth = (generator.random(shape) < truth_share).astype(dtype) * dtype(high)
        pairs.append((mask, truth))
    return pairs


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((13, 6, 11), 26 / 43),
        ((0, 0, 0), None),
        ((0, 5, 0), 0.0),
        ((0, 0, 5), 0.0),
        ((7, 0, 0), 1.0),
        ((2**62, 2**62, 2**62), 0.5),
    ],
)
def test_segf1_of_counts(counts, expected):
    assert segf1(*counts) == expected


def test_worked_example_of_the_protocol():
    # A: defect 4 px, 4 marked, 3 hit; B: defect 20 px, 10 marked, all hit; C: normal, 5 px marked.
    images = []
    for defect, marked, hit in [(4, 4, 3), (20, 10, 10), (0, 5, 0)]:
        truth, mask = np.zeros((2, 40), bool), np.zeros((2, 40), bool)
        truth.flat[:defect] = True
        mask.flat[defect - hit : defect - hit + marked] = True
        images.append((mask, truth))
    counts = _count(images)
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (13, 6, 11, 240 - 30)
    assert counts.segf1 == 26 / 43
    mean_of_images = np.mean([_count([image]).segf1 for image in images[:2]])
    assert mean_of_images == pytest.approx(0.708333, abs=1e-6)
    assert counts.flagged_fraction == 19 / 240
    assert counts.segf1_all_positive == 48 / (48 + 216)


@pytest.mark.parametrize("mask_share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("truth_share", [0.0, 0.01, 0.4, 1.0])
@pytest.mark.parametrize(("dtype", "high"), [(np.bool_, 1), (np.uint8, 1), (np.uint8, 255)])
def test_agrees_with_scikit_learn(mask_share, truth_share, dtype, high):
    pairs = _masks(3, mask_share, truth_share, dtype, high)
    counts = _count(pairs)
    mask = np.concatenate([pair[0].ravel() for pair in pairs]) != 0
    truth = np.concatenate([pair[1].ravel() for pair in pairs]) != 0
    is_empty = not (truth.any() or mask.any())
    for score, result, is_undefined in (
        (f1_score, counts.segf1, is_empty),
        (precision_score, counts.precision, is_empty),
        (recall_score, counts.recall, not truth.any()),
    ):
        assert (result is None) == is_undefined
        expected = score(truth, mask, zero_division=0.0)
        assert (result or 0.0) == pytest.approx(expected, abs=1e-15)
    everything = f1_score(truth, np.ones_like(truth), zero_division=0.0)
    assert counts.segf1_all_positive == pytest.approx(everything, abs=1e-15)
    assert counts.flagged_fraction == pytest.approx(mask.mean(), abs=1e-15)
    assert counts.tp + counts.fp + counts.fn + counts.tn == mask.size


def test_parts_add_up_in_any_order():
    pairs = _masks(5, 0.3, 0.2, np.bool_, 1)
    parts = [_count([pair]) for pair in pairs]
    assert parts[2] + parts[0] + parts[1] == _count(pairs)
    assert sum(parts, PixelCounts()) == _count(pairs[::-1])


def test_non_contiguous_arrays_count_the_same():
    mask, truth = _masks(7, 0.4, 0.4, np.uint8, 255)[0]
    wide_mask, wide_truth = np.repeat(mask, 3, axis=1), np.repeat(truth, 2, axis=0)
    views = wide_mask[::-1, ::3], np.asfortranarray(wide_truth)[::2][::-1]
    assert _count([views]) == _count([(mask, truth)])


def test_counts_are_python_integers():
    counts = _count(_masks(1, 0.5, 0.5, np.bool_, 1))
    assert {type(value) for value in vars(counts).values()} == {int}


def test_nothing_counted_has_no_figure():
    empty = PixelCounts()
    values = [empty.segf1, empty.precision, empty.recall]
    assert [*values, empty.segf1_all_positive, empty.flagged_fraction] == [None] * 5


def test_a_normal_set_has_a_segf1_only_with_a_false_alarm():
    truth, mask = np.zeros((2, 4, 5), bool)
    unmarked, marked = _count([(mask, truth)]), _count([(~mask, truth)])
    assert (unmarked.segf1, unmarked.precision, unmarked.recall) == (None, None, None)
    assert (marked.segf1, marked.precision, marked.recall) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    ("mask", "truth", "words"),
    [
        (np.zeros((4, 5), bool), np.zeros((5, 4), bool), ["(4, 5)", "(5, 4)"]),
        (np.zeros((4, 5), np.float32), np.zeros((4, 5), bool), ["mask", "float32"]),
        (np.zeros((4, 5), bool), np.zeros((4, 5), np.int64), ["truth", "int64"]),
        (np.zeros((1, 4, 5), bool), np.zeros((4, 5), bool), ["mask", "(1, 4, 5)"]),
    ],
)
def test_wrong_arrays_are_named_in_one_line_and_not_counted(mask, truth, words):
    counts = PixelCounts()
    with pytest.raises(ZooError) as caught:
        counts.update(mask, truth)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    assert counts == PixelCounts()
