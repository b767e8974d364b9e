"""How far a graph is from its run: units, what is allowed, and what is said."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.export.agreement import (
    ALLOWED,
    Difference,
    Judgement,
    allowed,
    compare,
    describe,
    normal_range,
    parse_tolerance,
    table,
)
from zoo.post import Calibration, finish


def judgement(name, score_map, threshold=90.0):
    done = finish(score_map, score_map.shape, Calibration(threshold))
    return Judgement(name, score_map, float(score_map.max()), done)


@pytest.fixture
def score_map():
    return np.arange(100, dtype=np.float32).reshape(10, 10)


def test_differences_have_the_documented_units(score_map):
    other = score_map.copy()
    other[0, 0] += 9.8  # a tenth of the range, and still below the threshold
    other[9, 9] = 80  # was marked
    scale = normal_range([score_map, score_map])
    assert scale == pytest.approx(np.diff(np.quantile([score_map] * 2, (0.01, 0.99)))[0])
    ours = [judgement("a", score_map), judgement("b", score_map)]
    found = compare("m.xml", "fp32", ours, [ours[0], judgement("b", other)])
    assert found.difference.map == pytest.approx(19 / scale)
    assert found.difference.score == pytest.approx(1 / scale)
    assert found.difference.mask == pytest.approx(1 / 200)
    assert found.difference.verdict == 0
    assert found.worst["mask"] == "b"
    assert "0/2" in list(table([found]))[1]


def test_a_flipped_verdict_is_a_share_of_pictures_and_a_complaint(score_map):
    ours = [judgement("a", score_map), judgement("b", score_map)]
    theirs = [ours[0], judgement("b", score_map, threshold=1e3)]
    found = compare("m.onnx", "fp32", ours, theirs)
    assert found.difference.verdict == 0.5
    lines = list(found.complaints(ALLOWED["fp32"]))
    assert [line.partition(" differs")[0] for line in lines] == [
        "m.onnx: the mask",
        "m.onnx: the verdict",
    ]
    assert "by 0.5 of all, allowed is 0.1; most at b" in lines[1]
    assert not list(found.complaints(Difference(1, 1, 1, 1)))


def test_a_constant_map_has_a_range():
    assert normal_range([np.ones((3, 3), np.float32)]) > 0


def test_tolerances_are_given_by_key():
    given = parse_tolerance(["mask=0.5", "verdict=0"])
    assert allowed("int8", given) == Difference(
        ALLOWED["int8"].map, ALLOWED["int8"].score, mask=0.5, verdict=0
    )
    assert "fp16 map=0.1" in describe(ALLOWED)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("msk=1", "no key 'msk'; did you mean 'mask'"),
        ("mask", "give a number of 0 or more"),
        ("mask=x", "give a number of 0 or more"),
        ("mask=-1", "give a number of 0 or more"),
        ("mask=nan", "give a number of 0 or more"),
    ],
)
def test_a_tolerance_that_cannot_be_read_is_one_line(word, says):
    with pytest.raises(ZooError, match=says):
        parse_tolerance([word])
