"""SegF1 against cost with the Pareto front as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.results.report.svg import (
    WIDTH,
    Scale,
    chart,
    cost_scale,
    element,
    path,
    x_axis,
    y_axis,
    zero_based,
)

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, WIDTH - 14, 32, 250
_LETTER, _LINE = 6.0, 13  # width of a letter and distance of two lines of a label, generous


@dataclass(frozen=True)
class Point:
    """One recipe.

    Attributes:
        name: The recipe.
        colour: Its number among the recipes.
        cost: On the horizontal axis, smaller is better.
        segf1: Mean over objects, a fraction.
        spread: Standard deviation over seeds, None for one seed.
        is_on_front: None where costs do not compare.
    """

    name: str
    colour: int
    cost: float
    segf1: float
    spread: float | None
    is_on_front: bool | None


def pareto_chart(title: str, points: Sequence[Point], cost: str, split: str) -> str:
    """Return the chart.

    Args:
        title: What it shows, for those who hear it.
        points: One per recipe.
        cost: Name and unit of the cost.
        split: The split of SegF1.
    """
    x = cost_scale([point.cost for point in points], _LEFT, _RIGHT)
    y = zero_based([100 * (each.segf1 + (each.spread or 0)) for each in points], _BOTTOM, _TOP)
    kind = " (log scale)" if x.is_log else ""
    parts = [
        x_axis(x, _BOTTOM, _TOP, f"{cost}{kind}"),
        y_axis(y, _LEFT, _RIGHT, f"SegF1 {split}", " %"),
        _front(points, x, y),
    ]
    places = label_places([(x(p.cost), y(100 * p.segf1), len(p.name)) for p in points])
    for point, (text_x, text_y, anchor) in zip(points, places, strict=True):
        parts.append(_point(point, x, y, cost))
        parts.append(
            element("text", text=point.name, x=text_x, y=text_y, text_anchor=anchor, class_="label")
        )
    return chart(title, _BOTTOM + 38, *parts)


def label_places(
    points: Sequence[tuple[float, float, int]],
) -> list[tuple[float, float, str]]:
    """Return x, y and anchor of every label, so that labels neither overlap nor leave the chart.

    Args:
        points: x, y and number of letters.
    """
    taken: list[tuple[float, float, float]] = []  # left, right, y
    places: list[tuple[float, float, str]] = [(0, 0, "start")] * len(points)
    for index in sorted(range(len(points)), key=lambda each: points[each][1]):
        x, y, letters = points[index]
        width = letters * _LETTER
        is_left = x + 9 + width > WIDTH
        left = max(2.0, x - 9 - width) if is_left else x + 9
        place = y - 4  # above the front, which goes on to the right
        while any(
            left < end and begin < left + width and abs(place - row) < _LINE
            for begin, end, row in taken
        ):
            place += 1
        taken.append((left, left + width, place))
        places[index] = (left + width, place, "end") if is_left else (left, place, "start")
    return places


def _front(points: Sequence[Point], x: Scale, y: Scale) -> str:
    """Return the border of what the front leaves no room for: flat, then up at the next point."""
    front = sorted((each.cost, each.segf1) for each in points if each.is_on_front)
    if not front:
        return ""
    corners = [(x(front[0][0]), y(0))]
    for cost, segf1 in front:
        corners += [(x(cost), corners[-1][1]), (x(cost), y(100 * segf1))]
    corners.append((x.end, corners[-1][1]))
    return element("path", d=path(corners), class_="front")


def _point(point: Point, x: Scale, y: Scale, cost: str) -> str:
    cx, cy = x(point.cost), y(100 * point.segf1)
    spread = f" ± {100 * point.spread:.1f}" if point.spread is not None else ""
    said = f"{point.name}: SegF1 {100 * point.segf1:.1f}{spread} %, {point.cost:,.0f} {cost}"
    parts = [element("title", text=said)]
    if point.spread:
        top, bottom = (y(100 * (point.segf1 + sign * point.spread)) for sign in (1, -1))
        parts.append(element("line", x1=cx, x2=cx, y1=top, y2=bottom, class_="whisker"))
    kind = "ring" if point.is_on_front is False else "fill"
    parts.append(element("circle", cx=cx, cy=cy, r=6, class_=f"{kind} c{point.colour}"))
    return element("g", *parts)
