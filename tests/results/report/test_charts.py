"""What charts show, read back from their SVG; and that they refer to nothing outside."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from run_folders import write_run

from zoo.metrics import PixelScores
from zoo.metrics.histogram import ScoreHistogram
from zoo.results.leaderboard import leaderboards
from zoo.results.report.charts import (
    Limit,
    drops,
    object_bars,
    pareto_chart,
    score_chart,
    score_range,
    share_above,
    shares,
)
from zoo.results.rows import read_rows
from zoo.results.style import COLOURS


@pytest.fixture
def board(tmp_path):
    """Return a slow recipe with two seeds, a fast one, and one that the fast one beats."""
    for seed in (0, 1):
        write_run(tmp_path, "cup", seed, 0.5 + 0.2 * seed, 0.4, recipe="m/slow", cost=(100, 10))
    write_run(tmp_path, "cup", 0, 0.3, 0.33, recipe="m/fast", cost=(20, 10))
    write_run(tmp_path, "cup", 0, 0.2, 0.2, recipe="m/lost", cost=(50, 10))
    [[board], _] = [leaderboards(read_rows([tmp_path]))[index] for index in (0, 1)]
    return board


def texts(chart: str, tag: str = "text") -> list[str]:
    return [each.text for each in ElementTree.fromstring(chart).iter(tag)]


def bars(chart: str) -> list[tuple[float, float]]:
    """Return begin and end of the paths that have a text for the mouse."""
    found = []
    for group in ElementTree.fromstring(chart).iter("g"):
        if group.find("title") is not None:
            xs = re.findall(r"[ML] ([\d.]+)", group.find("path").get("d"))
            found.append((min(map(float, xs)), max(map(float, xs))))
    return found


def test_bars_are_as_long_as_their_values_from_zero(board):
    chart = object_bars("SegF1", board, "test_private")
    (left, slow), (other, fast), _ = bars(chart)
    assert left == other
    assert slow - left == pytest.approx(2 * (fast - left), rel=1e-3)
    assert {"cup", "60.0", "30.0", "SegF1"} <= set(texts(chart))
    assert texts(chart, "title")[:2] == [
        "SegF1",
        "m/slow, cup: SegF1 60.0 % (50.0 to 70.0 over 2 seeds)",
    ]
    assert object_bars("SegF1", board, "test_public") is None


def test_a_drop_is_the_relative_loss(board):
    chart = drops("Drops", board)
    assert {"m/slow", "33.3 %", "-10.0 %", "0.0 %"} <= set(texts(chart))
    assert "m/fast: 30.0 % on private, 33.0 % on private_mixed, drop -10.0 %" in texts(
        chart, "title"
    )


def test_who_is_beaten_is_a_ring_off_the_front(board):
    chart = pareto_chart("Cost", board, "latency_ms")
    assert {"ms per image", "SegF1 private"} <= set(texts(chart))
    assert "m/slow: SegF1 60.0 ± 14.1 %, 100 ms per image" in texts(chart, "title")
    assert chart.count("stroke-dasharray") == 1  # the front
    filled = [f"fill: var(--c{index})" in chart for index in range(3)]
    assert filled == [True, True, False]
    wide = pareto_chart("Cost", board, "peak_mb")
    assert "MB peak memory" in texts(wide)


def test_a_chart_refers_to_nothing_outside_and_is_the_same_each_time(board):
    charts = [pareto_chart("Cost", board, "latency_ms") for _ in range(2)]
    assert charts[0] == charts[1]
    outside = r'url\((?!#)|href="(?!#)|<style|font-family|[:"] ?#[0-9a-f]{6}\b'
    assert not re.search(outside, charts[0])
    assert 'role="img"' in charts[0]
    referred = set(re.findall(r'(?:url\(|href=")#([^")]+)', charts[0]))
    assert referred <= set(re.findall(r' id="([^"]+)"', charts[0]))
    assert not referred & set(re.findall(r' id="([^"]+)"', drops("Drops", board)))


def test_colours_are_those_of_the_page():
    from importlib.resources import files

    styles = (files("zoo.results.report") / "assets" / "style.css").read_text("utf-8")
    for index, colour in enumerate(COLOURS):
        assert f"--c{index}: light-dark({colour}," in styles


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
    limits = [Limit("limit", 2.0), Limit("oracle", 6.0)]
    chart = score_chart("x", pixels, ScoreHistogram(), limits, (0.0, 8.0), "score")
    (second, _), (first, _) = bars(chart)
    left, right = 46, 366  # the axis
    assert first == pytest.approx(left + (right - left) * 2 / 8, abs=0.01)
    assert second == pytest.approx(left + (right - left) * 6 / 8, abs=0.01)
    assert {"limit", "oracle", "score", "100 %"} <= set(texts(chart))
    assert "var(--normal)" in chart
    assert "var(--defect)" in chart
