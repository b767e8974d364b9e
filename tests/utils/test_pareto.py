"""Pareto fronts of hand-made points, and what must hold of any."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.utils.pareto import pareto_front

MORE_FOR_LESS = (True, False)


def test_who_is_beaten_is_not_on_the_front():
    points = [(0.5, 80), (0.4, 20), (0.4, 90), (0.3, 20), (0.6, 500)]
    assert pareto_front(points, MORE_FOR_LESS) == [True, True, False, False, True]


def test_equal_points_stand_together():
    assert pareto_front([(0.5, 80), (0.5, 80)], MORE_FOR_LESS) == [True, True]


def test_a_point_that_lacks_a_value_is_not_on_it_and_beats_nobody():
    points = [(0.5, None), (None, 1), (0.4, 20), (math.nan, 0)]
    assert pareto_front(points, MORE_FOR_LESS) == [False, False, True, False]


def test_a_third_criterion_lets_more_stand():
    points = [(0.5, 80, 900), (0.4, 90, 800), (0.4, 90, 901)]
    assert pareto_front(points, (True, False, False)) == [True, True, False]


def test_nobody_is_no_front_and_one_is_its_own():
    assert pareto_front([], MORE_FOR_LESS) == []
    assert pareto_front([(0.1, 5)], MORE_FOR_LESS) == [True]


def test_a_point_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        pareto_front([(0.1, 5, 3)], MORE_FOR_LESS)


VALUES = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(st.lists(VALUES, min_size=1, max_size=12))
def test_the_front_is_never_empty_and_covers_everybody(points):
    front = pareto_front(points, MORE_FOR_LESS)
    kept = [point for point, is_on in zip(points, front, strict=True) if is_on]
    assert kept
    for segf1, ms in points:
        assert any(a >= segf1 and b <= ms for a, b in kept)
    for one in kept:
        assert not any(a >= one[0] and b <= one[1] and (a, b) != one for a, b in points)
