"""What charts show, read back from their SVG: lengths against values."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from zoo.results.report.bars import Bar, object_bars
from zoo.results.report.curves import Limit, score_chart, score_range, share_above, shares
from zoo.results.report.dumbbells import Pair, drops
from zoo.results.report.scatter import Point, label_places, pareto_chart

from zoo.metrics import PixelScores
from zoo.metrics.histogram import ScoreHistogram


def read(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def with_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if name in each.get("class", "").split()]


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text for each in root.iter("text")]


def test_bars_are_as_long_as_their_values_from_zero():
    groups = {"cup": [Bar("a", 0, 0.2, 0.2, 0.2), Bar("b", 1, 0.4, 0.4, 0.4)]}
    root = read(object_bars("SegF1", groups))
    first, second = root.iter("rect")
    assert float(second.get("width")) == pytest.approx(2 * float(first.get("width")), rel=1e-3)
    assert first.get("x") == second.get("x")
    assert {"cup", "20.0", "40.0", "SegF1", "0 %", "40 %"} <= set(texts(root))
    assert not with_class(root, "whisker")
    assert root.find("title").text == "SegF1"


def test_several_seeds_have_an_interval():
    root = read(object_bars("x", {"cup": [Bar("a", 0, 0.3, 0.25, 0.4, n_seeds=3)]}))
    whisker, *_ = with_class(root, "whisker")
    [bar] = root.iter("rect")
    end = float(bar.get("x")) + float(bar.get("width"))
    assert float(whisker.get("x1")) < end < float(whisker.get("x2"))
    said = [each.text for each in root.iter("title")]
    assert "a, cup: SegF1 30.0 % (25 to 40 over 3 seeds)" in said


def test_a_drop_has_a_full_dot_and_a_ring_and_the_relative_loss():
    root = read(drops("x", [Pair("a", 0, 0.5, 0.4), Pair("b", 1, 0.0, 0.2)]))
    dots, rings = (
        [each for each in with_class(root, name) if each.tag == "circle"]
        for name in ("fill", "ring")
    )
    assert float(rings[0].get("cx")) < float(dots[0].get("cx"))
    assert "20.0 %" in texts(root)
    assert "-" in texts(root)  # no share of nothing


POINTS = [
    Point("slow", 0, 100, 0.6, 0.05, True),
    Point("fast", 1, 20, 0.4, None, True),
    Point("lost", 2, 120, 0.5, None, False),
]


def test_who_is_beaten_is_a_ring_off_the_front():
    root = read(pareto_chart("x", POINTS, "ms per image", "private"))
    circles = list(root.iter("circle"))
    assert ["ring" in each.get("class") for each in circles] == [False, False, True]
    [front] = with_class(root, "front")
    corners = [tuple(map(float, part.split())) for part in front.get("d")[1:].split("L")]
    for circle, is_on in zip(circles, (True, True, False), strict=True):
        assert ((float(circle.get("cx")), float(circle.get("cy"))) in corners) == is_on
    assert len(with_class(root, "whisker")) == 1
    assert {"ms per image", "SegF1 private", "slow", "fast", "lost"} <= set(texts(root))


def test_without_a_front_nothing_is_called_beaten():
    root = read(pareto_chart("x", [Point("a", 0, 10, 0.5, None, None)], "ms", "public"))
    assert not with_class(root, "front")
    assert not with_class(root, "ring")


def test_labels_neither_overlap_nor_leave_the_chart():
    places = label_places([(370, 50, 20), (372, 52, 20), (60, 51, 8), (371, 52, 20)])
    boxes = []
    for (x, y, anchor), letters in zip(places, (20, 20, 8, 20), strict=True):
        left = x - 6 * letters if anchor == "end" else x
        boxes.append((left, left + 6 * letters, y))
        assert left >= 0
        assert left + 6 * letters <= 380
    for index, (left, right, y) in enumerate(boxes):
        for other_left, other_right, other_y in boxes[:index]:
            assert right <= other_left or other_right <= left or abs(y - other_y) >= 13


def histogram(scores) -> ScoreHistogram:
    made = ScoreHistogram()
    made.update(np.array(scores, np.float32))
    return made


def test_shares_count_what_lies_outside_at_the_ends():
    found = shares(histogram([-5, 0.5, 1.5, 1.5, 99]), np.array([0.0, 1.0, 2.0]))
    assert found == pytest.approx([2 / 5, 3 / 5])
    assert shares(ScoreHistogram(), np.array([0.0, 1.0])).tolist() == [0]


def test_the_share_above_a_limit():
    assert share_above(histogram([1, 2, 3, 4]), 2.5) == 0.5
    assert share_above(ScoreHistogram(), 1) is None


def test_every_limit_is_seen():
    low, high = score_range([histogram([1, 2, 3]), ScoreHistogram()], [7.0, -1.0])
    assert low < -1
    assert high > 7
    low, high = score_range([histogram([2, 2])], [2.0])
    assert low < 2 < high


def test_limits_stand_where_they_are_among_the_scores():
    pixels = PixelScores(histogram([0, 1, 1, 2]), histogram([6, 8]))
    limits = [Limit("limit", "threshold", 2.0), Limit("oracle", "oracle", 6.0)]
    root = read(score_chart("x", pixels, None, limits, (0.0, 8.0), "score"))
    first, second = (each.find("line") for each in with_class(root, "limit"))
    left, right = 44, 370  # the axis
    assert float(first.get("x1")) == pytest.approx(left + (right - left) * 2 / 8)
    assert float(second.get("x1")) == pytest.approx(left + (right - left) * 6 / 8)
    assert {"limit", "oracle", "score", "100 %"} <= set(texts(root))
    assert len(with_class(root, "area")) == 2
    assert not with_class(root, "outline")
