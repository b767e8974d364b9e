"""The charts of the report, as SVG: SegF1 by object, drops, Pareto fronts, limits among scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from zoo.metrics import PixelScores
from zoo.metrics.histogram import ScoreHistogram
from zoo.results.aggregate import short_split
from zoo.results.leaderboard import Leaderboard, drop
from zoo.results.style import CARD, COLOURS, DEFECT, INK, MUTED, NORMAL, RC, Chart
from zoo.utils.markdown import percent

COSTS = {"latency_ms": "ms per image", "peak_mb": "MB peak memory"}
_LOG_RATIO = 8  # costs that differ by more have a logarithmic axis
_BINS = 70
_LEAST = 1e-6  # share of pixels at the foot of the logarithmic axis
_PERCENT = FuncFormatter(lambda value, _: f"{value:g} %")
_PLAIN = FuncFormatter(lambda value, _: f"{value:,.6g}")


def colour_of(place: int) -> str:
    """Return the colour of an entry by its place in the ranking; beyond the last they repeat."""
    return COLOURS[place % len(COLOURS)]


@mpl.rc_context(RC)
def object_bars(title: str, board: Leaderboard, split: str) -> str | None:
    """Return SegF1 of every object as bars from zero, with the range over seeds; None without."""
    scores = [(entry.name, entry.scores(split)) for _, _, entry in board.ranked()]
    n_bars = sum(len(found.by_object) for _, found in scores)
    if not n_bars:
        return None
    chart = Chart(17 * n_bars + 24 * len(board.objects) + 40, right=44)
    axes, y, furthest = chart.axes, 0.0, 0.0
    for name in board.objects:
        axes.text(0, y, name, va="center")
        for place, (recipe, found) in enumerate(scores):
            if name not in found.by_object:
                continue
            y += 1
            value, seeds = 100 * found.by_object[name], found.by_seed[name].values()
            low, high = 100 * min(seeds), 100 * max(seeds)
            text = f"{recipe}, {name}: SegF1 {value:.1f} %"
            [bar] = axes.barh(y, value, 0.8, color=colour_of(place))
            if len(seeds) > 1:
                text += f" ({low:.1f} to {high:.1f} over {len(seeds)} seeds)"
                axes.errorbar(value, y, xerr=[[value - low], [high - value]], color=INK, capsize=3)
            chart.tooltip(bar, text)
            axes.annotate(
                f"{value:.1f}", (high, y), (5, 0), textcoords="offset points", va="center"
            )
            furthest = max(furthest, high)
        y += 1.4
    axes.set(xlim=(0, 1.02 * furthest or 1), ylim=(y - 0.6, -0.7), xlabel="SegF1", yticks=[])
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(_PERCENT)
    return chart.svg(title)


@mpl.rc_context(RC)
def drops(title: str, board: Leaderboard) -> str | None:
    """Return a row per entry: a full dot on private, a ring on private_mixed; None without any."""
    rows = [
        (entry.name, colour_of(place), 100 * private, 100 * mixed)
        for place, (_, _, entry) in enumerate(board.ranked())
        for private, mixed in [entry.means]
        if private is not None and mixed is not None
    ]
    if not rows:
        return None
    chart = Chart(38 * len(rows) + 60, right=64)
    axes = chart.axes
    right = axes.get_yaxis_transform()
    axes.text(1.04, -0.85, "drop", transform=right, color=MUTED)
    for y, (name, colour, private, mixed) in enumerate(rows):
        loss = percent(drop(private, mixed))
        axes.text(0, y - 0.4, name, va="center")
        axes.text(1.04, y, loss, transform=right, va="center")
        [line] = axes.plot([private, mixed], [y, y], color=colour, linewidth=2.5)
        axes.plot(private, y, "o", color=colour, markersize=10)
        axes.plot(mixed, y, "o", mfc=CARD, mec=colour, markersize=10, markeredgewidth=2.5)
        text = f"{name}: {private:.1f} % on private, {mixed:.1f} % on private_mixed, drop {loss}"
        chart.tooltip(line, text)
    furthest = max(max(private, mixed) for _, _, private, mixed in rows)
    axes.set(xlim=(0, 1.05 * furthest or 1), ylim=(len(rows) - 0.5, -0.9), yticks=[])
    axes.set_xlabel("SegF1: full dot private, ring private_mixed")
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(_PERCENT)
    return chart.svg(title)


@mpl.rc_context(RC)
def pareto_chart(title: str, board: Leaderboard, cost: str) -> str | None:
    """Return SegF1 against a cost with the Pareto front as a line; None where nothing is known.

    Colours are those of the legend, names appear under the mouse.

    Args:
        title: What it shows.
        board: Its `accuracy_split` is shown.
        cost: A key of `COSTS`.
    """
    split, fronts = board.accuracy_split, board.fronts()
    points = []
    for place, (_, _, entry) in enumerate(board.ranked()):
        x, segf1 = getattr(entry.cost, cost), entry.scores(split)
        if x is not None and segf1.mean is not None:
            is_on_front = fronts[entry.name][list(COSTS).index(cost)]
            std = None if segf1.std is None else 100 * segf1.std
            points.append((x, 100 * segf1.mean, std, entry.name, colour_of(place), is_on_front))
    if not points:
        return None
    chart = Chart(290, left=46, top=28)
    axes = chart.axes
    xs, furthest = [x for x, *_ in points], max(y + (std or 0) for _, y, std, *_ in points)
    is_log = min(xs) > 0 and max(xs) / min(xs) > _LOG_RATIO
    left, right = (min(xs) / 1.4, max(xs) * 1.4) if is_log else (0, 1.15 * max(xs) or 1)
    axes.set(xscale="log" if is_log else "linear", xlim=(left, right))
    axes.set(ylim=(0, 1.1 * furthest or 1), xlabel=COSTS[cost] + " (log scale)" * is_log)
    axes.set_title(f"SegF1 {short_split(split)}", loc="left", fontsize=11, color=MUTED)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.locator_params(axis="y", nbins=5)
    if is_log:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.locator_params(axis="x", nbins=5)
    front = sorted((x, y) for x, y, _, _, _, is_on_front in points if is_on_front)
    if front:
        xs, ys = map(list, zip((front[0][0], 0), *front, (right, front[-1][1]), strict=True))
        axes.step(xs, ys, "--", where="post", color=MUTED, linewidth=1.4)
    for x, y, std, name, colour, is_on_front in points:
        if std:
            axes.errorbar(x, y, yerr=std, color=INK, capsize=0)
        face = CARD if is_on_front is False else colour
        [dot] = axes.plot(
            x, y, "o", zorder=4, mfc=face, mec=colour, markersize=11, markeredgewidth=2.5
        )
        spread = "" if std is None else f" ± {std:.1f}"
        chart.tooltip(dot, f"{name}: SegF1 {y:.1f}{spread} %, {x:,.0f} {COSTS[cost]}")
    return chart.svg(title)


@dataclass(frozen=True)
class Limit:
    """A vertical line: its name, the score where it stands, and how it is drawn."""

    name: str
    score: float
    colour: str = INK
    line: str = "-"


@mpl.rc_context(RC)
def score_chart(
    title: str,
    pixels: PixelScores,
    normal: ScoreHistogram,
    limits: Sequence[Limit],
    span: tuple[float, float],
    unit: str,
) -> str:
    """Return where the limits lie among the scores of the pixels of one split.

    Args:
        title: What it shows.
        pixels: Of the split.
        normal: Of the normal images that set the limits; empty if they are not known.
        limits: Lines.
        span: Smallest and largest score that is shown.
        unit: Label of the scores.
    """
    chart = Chart(240, left=46, top=46)
    axes, edges = chart.axes, np.linspace(*span, _BINS + 1)
    parts = ((pixels.normal, NORMAL, True), (pixels.defect, DEFECT, True), (normal, INK, False))
    for histogram, colour, fill in parts:
        if histogram.total:
            heights = shares(histogram, edges)
            used = np.flatnonzero(heights)
            part = slice(used[0], used[-1] + 1)
            steps = np.maximum(heights[part], _LEAST)
            borders, alpha = edges[part.start : part.stop + 1], 0.6 if fill else 1
            axes.stairs(steps, borders, baseline=_LEAST, fill=fill, color=colour, alpha=alpha)
    axes.set(xlim=span, yscale="log", ylim=(_LEAST, 1), xlabel=unit)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.yaxis.set_major_locator(FixedLocator([1e-6, 1e-4, 1e-2, 1]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels(["10⁻⁴ %", "0.01 %", "1 %", "100 %"])
    for row, limit in enumerate(sorted(limits, key=lambda limit: -limit.score)):
        height = 1.05 + 0.09 * row
        is_right = limit.score > span[0] + 0.8 * (span[1] - span[0])
        [line] = axes.plot(
            [limit.score] * 2,
            [0, height],
            limit.line,
            color=limit.colour,
            linewidth=1.8,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        axes.annotate(
            limit.name,
            (limit.score, height),
            (-4 if is_right else 4, -2),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            color=limit.colour,
            ha="right" if is_right else "left",
            va="center",
        )
        chart.tooltip(line, f"{limit.name}: {limit.score:.6g}")
    return chart.svg(title)


def score_range(parts: Sequence[ScoreHistogram], limits: Sequence[float]) -> tuple[float, float]:
    """Return the scores that a chart shows: nearly all pixels, and every limit with some room.

    Args:
        parts: Histograms; empty ones do not count.
        limits: Scores that must be seen.
    """
    ends = [part.quantile(share) for part in parts for share in (1e-4, 1 - 1e-4)]
    known = [score for score in (*ends, *limits) if score is not None]
    low, high = min(known), max(known)
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def shares(histogram: ScoreHistogram, edges: np.ndarray) -> np.ndarray:
    """Return the share of all counts in each bin; scores outside go to the bins at the ends.

    Args:
        histogram: Counts.
        edges: (N + 1,) ascending.

    Returns:
        (N,) float64 that sums to 1, or to 0 without counts.
    """
    levels, counts = histogram.levels()
    inside = np.clip(levels, edges[0], edges[-1])
    return np.histogram(inside, edges, weights=counts)[0] / (histogram.total or math.inf)


def share_above(histogram: ScoreHistogram, score: float) -> float | None:
    """Return the share of counts whose bin begins above a score, None without counts."""
    levels, counts = histogram.levels()
    return float(counts[levels > score].sum() / counts.sum()) if counts.size else None
