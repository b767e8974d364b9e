"""Where the limits lie among the scores: histograms of normal and defective pixels of one split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.metrics import PixelScores
from zoo.metrics.histogram import ScoreHistogram
from zoo.results.report.svg import WIDTH, Scale, chart, element, path, short, x_axis

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, WIDTH - 10, 46, 190
_BINS = 70
_LABEL = 42  # length of the longest name of a line
_LEAST = 1e-6  # share of pixels at the foot of the logarithmic axis


@dataclass(frozen=True)
class Limit:
    """A vertical line: its name, its class and the score where it stands."""

    name: str
    kind: str
    score: float


def score_range(parts: Sequence[ScoreHistogram], limits: Sequence[float]) -> tuple[float, float]:
    """Return the scores that a chart shows: nearly all pixels, and every limit with some room.

    Args:
        parts: Histograms; empty ones tell nothing.
        limits: Scores that must be seen.
    """
    known = [part for part in parts if part.total]
    low = min([part.quantile(1e-4) for part in known] + list(limits))
    high = max([part.quantile(1 - 1e-4) for part in known] + list(limits))
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
    places = np.clip(np.searchsorted(edges, levels, side="right") - 1, 0, len(edges) - 2)
    summed = np.bincount(places, weights=counts, minlength=len(edges) - 1)
    return summed / max(histogram.total, 1e-300)


def share_above(histogram: ScoreHistogram, score: float) -> float | None:
    """Return the share of counts whose bin begins above a score, None without counts."""
    levels, counts = histogram.levels()
    return float(counts[levels > score].sum() / counts.sum()) if counts.size else None


def score_chart(
    title: str,
    pixels: PixelScores,
    normal: PixelScores | None,
    limits: Sequence[Limit],
    span: tuple[float, float],
    unit: str,
) -> str:
    """Return the chart of one split.

    Args:
        title: What it shows, for those who hear it.
        pixels: Of the split.
        normal: Of the normal images that set the limits, if they are known.
        limits: Lines.
        span: Smallest and largest score that is shown.
        unit: Label of the scores.
    """
    x = Scale(*span, _LEFT, _RIGHT)
    y = Scale(_LEAST, 1.0, _BOTTOM, _TOP, is_log=True)
    edges = np.linspace(*span, _BINS + 1)
    drawn = [
        (pixels.normal, "area normal"),
        (pixels.defect, "area defect"),
        (normal.normal if normal else ScoreHistogram(), "outline"),
    ]
    parts = [x_axis(x, _BOTTOM, _TOP, unit), _share_axis(y)]
    for histogram, kind in drawn:
        if histogram.total:
            points = _steps(shares(histogram, edges), [x(edge) for edge in edges], y)
            parts.append(element("path", d=path(points), class_=kind))
    for row, limit in enumerate(sorted(limits, key=lambda each: each.score)):
        parts.append(_line(limit, x, _TOP - 8 - 12 * (len(limits) - 1 - row)))
    return chart(title, _BOTTOM + 38, *parts)


def _steps(heights: np.ndarray, borders: Sequence[float], y: Scale) -> list[tuple[float, float]]:
    """Return the corners of a step line from the first bin in use to the last."""
    used = np.flatnonzero(heights)
    first, last = int(used[0]), int(used[-1])
    points = [(borders[first], y(_LEAST))]
    for index in range(first, last + 1):
        level = y(max(float(heights[index]), _LEAST))
        points += [(borders[index], level), (borders[index + 1], level)]
    return [*points, (borders[last + 1], y(_LEAST))]


def _share_axis(y: Scale) -> str:
    parts = []
    for power in range(round(math.log10(_LEAST)), 1, 2):
        value, text = 10.0**power, f"{short(10.0 ** (power + 2))} %"
        at = y(value)
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=at, y2=at, class_="grid"))
        parts.append(element("text", text=text, x=_LEFT - 4, y=at + 4, class_="tick end"))
    return "".join(parts)


def _line(limit: Limit, x: Scale, text_y: float) -> str:
    at = x(limit.score)
    anchor = "end" if at + _LABEL > _RIGHT else "start"
    text_x = at - 4 if anchor == "end" else at + 4
    return element(
        "g",
        element("title", text=f"{limit.name}: {limit.score:.6g}"),
        element("line", x1=at, x2=at, y1=text_y - 6, y2=_BOTTOM),
        element("text", text=limit.name, x=text_x, y=text_y, text_anchor=anchor, class_="label"),
        class_=f"limit {limit.kind}",
    )
