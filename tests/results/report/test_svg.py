"""Scales, ticks and elements against figures made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from zoo.results.report.svg import Scale, cost_scale, element, nice_step, path, short, zero_based


def test_elements_escape_what_they_are_given():
    made = element("text", text="<b> & 'c'", class_='"x"', x=1 / 3, y=None)
    root = ElementTree.fromstring(made)
    assert root.text == "<b> & 'c'"
    assert root.attrib == {"class": '"x"', "x": "0.33"}


@pytest.mark.parametrize(
    ("least", "step"), [(0.9, 1), (1, 1), (1.1, 2), (2.1, 5), (7, 10), (0.03, 0.05), (1200, 2000)]
)
def test_steps_are_one_two_five(least, step):
    assert nice_step(least) == pytest.approx(step)


def test_a_linear_scale_maps_ends_and_middle_and_holds_what_is_outside():
    scale = Scale(0, 50, 10, 110)
    assert [scale(value) for value in (-5, 0, 25, 50, 99)] == [10, 10, 60, 110, 110]
    assert scale.ticks() == [0, 10, 20, 30, 40, 50]


def test_a_logarithmic_scale_gives_ratios_the_same_length():
    scale = Scale(1, 1000, 0, 300, is_log=True)
    assert [scale(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
    assert scale.ticks() == [1, 10, 100, 1000]
    assert Scale(10, 90, 0, 1, is_log=True).ticks() == [10, 20, 50]


def test_bars_begin_at_zero_and_the_axis_reaches_the_largest():
    assert zero_based([31.5, 58.4], 0, 100) == Scale(0, 60, 0, 100)
    assert zero_based([], 0, 100).low == 0
    assert zero_based([0.0], 0, 100).high > 0
    assert zero_based([float("nan"), 3], 0, 100).high == 3


def test_costs_that_differ_by_much_are_logarithmic():
    assert not cost_scale([20, 100], 0, 1).is_log
    wide = cost_scale([20, 1000], 0, 1)
    assert wide.is_log
    assert wide.low < 20 < 1000 < wide.high


def test_numbers_are_written_as_people_do():
    assert [short(each) for each in (0, 0.5, 20.0, 2500.0, 1e-4, 3e-5)] == [
        "0",
        "0.5",
        "20",
        "2,500",
        "10⁻⁴",
        "3·10⁻⁵",
    ]


def test_a_path_goes_from_point_to_point():
    assert path([(0, 1), (2.004, 3)]) == "M0 1L2 3"
