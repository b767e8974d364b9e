"""How far a graph is from its run: units, what is allowed, and what is said."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.export.agreement import (
    ALLOWED,
    Difference,
    ImageResult,
    clear_calls,
    compare,
    normal_range,
    table,
)
from zoo.postprocess import Calibration, finish

LOOSE = Difference(1, 1, 1, 1, 1, 1)


def result_of(name, score_map, threshold=90.0):
    calibration = Calibration(threshold)
    done = finish(score_map, score_map.shape, calibration)
    return ImageResult(name, score_map, float(score_map.max()), done, calibration)


@pytest.fixture
def score_map():
    return np.arange(100, dtype=np.float32).reshape(10, 10)


def test_differences_have_the_documented_units(score_map):
    other = score_map.copy()
    other[0, 0] += 9.8  # a tenth of the range, and still below the threshold
    other[9, 9] = 80  # was marked
    middle, extent = normal_range([score_map, score_map])
    low, expected, high = np.quantile([score_map] * 2, (0.01, 0.5, 0.99))
    assert (middle, extent) == (pytest.approx(expected), pytest.approx(high - low))
    ours = [result_of("a", score_map), result_of("b", score_map)]
    found = compare("m.xml", "fp32", ours, [ours[0], result_of("b", other)])
    assert found.difference.map == pytest.approx(19 / extent)
    assert found.difference.score == pytest.approx(1 / extent)
    assert found.difference.mask == found.difference.mask_in_all == pytest.approx(1 / 200)
    assert found.difference.verdict == 0
    assert found.worst["mask"] == "b"
    assert list(table([found]))[-1].split()[-1] == "0/2"


def test_far_above_the_range_differences_count_by_the_scores_own_height(score_map):
    peak, lower = score_map.copy(), score_map.copy()
    peak[5, 5], lower[5, 5] = 1000 + 49.5, 500 + 49.5
    found = compare("m", "int8", [result_of("a", peak)], [result_of("a", lower)])
    assert found.difference.map == pytest.approx(0.5, rel=0.01)
    assert found.difference.score == found.difference.map


def test_a_flipped_verdict_is_a_share_of_images_and_a_complaint(score_map):
    ours = [result_of("a", score_map), result_of("b", score_map)]
    theirs = [ours[0], result_of("b", score_map, threshold=1e3)]
    found = compare("m.onnx", "fp32", ours, theirs)
    assert found.difference.verdict == 0.5
    assert (found.n_clear, found.difference.verdict_in_all) == (2, 0.5)
    lines = list(found.complaints(ALLOWED["fp32"]))
    assert [line.partition(" differs")[0] for line in lines] == [
        "m.onnx: the mask",
        "m.onnx: the verdict",
        "m.onnx: the mask",
        "m.onnx: the verdict",
    ]
    assert "by 0.5 of the images that are no close calls, allowed is 0; most at b" in lines[1]
    assert not list(found.complaints(LOOSE))


def test_what_lies_on_the_edge_is_no_difference_but_counts_in_all(score_map):
    ours = [result_of("a", score_map), result_of("b", score_map, threshold=98.99)]
    theirs = [ours[0], result_of("b", score_map, threshold=99.01)]
    found = compare("m.onnx", "fp32", ours, theirs)
    assert found.n_clear == 1
    assert (found.difference.mask, found.difference.verdict) == (0, 0)
    assert (found.difference.mask_in_all, found.difference.verdict_in_all) == (1 / 200, 0.5)
    assert [line.partition(", allowed")[0] for line in found.complaints(ALLOWED["fp32"])] == [
        "m.onnx: the mask differs from torch by 0.005 of all pixels, close calls included",
        "m.onnx: the verdict differs from torch by 0.5 of all images, close calls included",
    ]


@pytest.mark.parametrize(
    ("calibration", "stands"),
    [
        (Calibration(8.0), {0.1: True, 0.3: False}),  # heights count from 0 here: a peak of 10
        (Calibration(1.0, seed_threshold=9.5), {0.01: True, 0.1: False}),
        (Calibration(9.5, normalisation="median"), {0.01: True, 0.1: False}),
        (Calibration(1.0, min_mass=8.5), {0.01: True, 0.1: False}),
        (Calibration(50.0), {0.1: True, 0.5: True}),
    ],
)
def test_a_verdict_stands_as_far_as_limits_may_move(calibration, stands):
    score_map = np.zeros((8, 8), np.float32)
    score_map[4, 4] = 10
    result = ImageResult("a", score_map, 10.0, finish(score_map, (8, 8), calibration), calibration)
    calls = {share: clear_calls(result, share, 0.0) for share in stands}
    assert {share: is_clear for share, (is_clear, _) in calls.items()} == stands
    for is_clear, pixels in calls.values():
        assert pixels.all() == is_clear
        assert pixels.sum() >= 63


def test_a_constant_map_has_a_range():
    assert normal_range([np.ones((3, 3), np.float32)])[1] > 0
