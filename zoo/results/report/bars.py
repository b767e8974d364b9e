"""SegF1 of every object as bars that begin at zero, one bar per recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.results.report.svg import WIDTH, Scale, chart, element, short, x_axis, zero_based

_BAR, _GAP, _HEAD = 13, 4, 20
_LEFT, _RIGHT = 14, WIDTH - 44


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: The recipe.
        colour: Its number among the recipes.
        value: Mean over seeds.
        low: Smallest seed.
        high: Largest seed.
        n_seeds: How many seeds; from two on an interval is drawn.
    """

    name: str
    colour: int
    value: float
    low: float
    high: float
    n_seeds: int = 1


def object_bars(title: str, groups: dict[str, Sequence[Bar]]) -> str:
    """Return a chart of bars by object.

    Args:
        title: What it shows, for those who hear it.
        groups: Bars of every object, as fractions.
    """
    highest = [100 * bar.high for bars in groups.values() for bar in bars]
    scale = zero_based(highest, _LEFT, _RIGHT)
    parts, y = [], 4.0
    for name, bars in groups.items():
        parts.append(element("text", text=name, x=_LEFT, y=y + 13, class_="label"))
        y += _HEAD
        for bar in bars:
            parts.append(_bar(bar, name, scale, y))
            y += _BAR + _GAP
        y += 6
    axis = x_axis(scale, y, 4, "SegF1", " %")
    return chart(title, y + 36, axis, *parts)


def _bar(bar: Bar, object_name: str, scale: Scale, y: float) -> str:
    value = 100 * bar.value
    end, middle = scale(value), y + _BAR / 2
    seeds = ""
    if bar.n_seeds > 1:
        seeds = f" ({short(round(100 * bar.low, 1))} to {short(round(100 * bar.high, 1))}"
        seeds += f" over {bar.n_seeds} seeds)"
    said = element("title", text=f"{bar.name}, {object_name}: SegF1 {value:.1f} %{seeds}")
    parts = [
        said,
        element(
            "rect",
            x=scale.begin,
            y=y,
            width=max(0.0, end - scale.begin),
            height=_BAR,
            rx=2,
            class_=f"fill c{bar.colour}",
        ),
    ]
    text_x = end
    if bar.n_seeds > 1:
        low, high = scale(100 * bar.low), scale(100 * bar.high)
        for x1, x2, y1, y2 in (
            (low, high, middle, middle),
            (low, low, middle - 3, middle + 3),
            (high, high, middle - 3, middle + 3),
        ):
            parts.append(element("line", x1=x1, x2=x2, y1=y1, y2=y2, class_="whisker"))
        text_x = high
    parts.append(element("text", text=f"{value:.1f}", x=text_x + 5, y=y + _BAR - 3, class_="value"))
    return element("g", *parts)
