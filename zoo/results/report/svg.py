"""The little of SVG that the charts need: elements, scales, ticks and axes.

Lengths are in units of the view box, about one CSS pixel on a phone. Colours are classes of
`assets/style.css`, so that a chart follows the theme of its page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 380  # of every chart's view box


def element(name: str, *children: str, text: str = "", **attributes: object) -> str:
    """Return an element.

    Args:
        name: Its name.
        *children: Elements inside, as they are.
        text: Text inside, escaped.
        **attributes: `_` becomes `-`, and a trailing one is dropped (`class_`); None is left out.

    Example:
        >>> element("text", text="a < b", x=1.0, class_="label", text_anchor="end")
        '<text x="1" class="label" text-anchor="end">a &lt; b</text>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children) + escape(text)
    return f"<{name}{given}>{inside}</{name}>" if inside else f"<{name}{given}/>"


def chart(title: str, height: float, *children: str) -> str:
    """Return a chart that is read out as its title."""
    return element(
        "svg",
        element("title", text=title),
        *children,
        viewBox=f"0 0 {WIDTH} {_plain(height)}",
        role="img",
        class_="chart",
    )


@dataclass(frozen=True)
class Scale:
    """Maps values onto lengths; values outside are held at the ends.

    Attributes:
        low: Value at `begin`; above 0 where `is_log`.
        high: Value at `end`.
        begin: Length.
        end: Length; may be smaller than `begin`, as that of an axis that points up.
        is_log: Equal ratios are equal lengths.

    Example:
        >>> Scale(0, 1, 100, 0)(0.25), Scale(1, 100, 0, 100, is_log=True)(10)
        (75.0, 50.0)
    """

    low: float
    high: float
    begin: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the length that stands for a value."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low) if high > low else 0.0
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values between the ends."""
        if self.is_log:
            return _log_ticks(self.low, self.high, most)
        step = nice_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least so much.

    Example:
        >>> nice_step(0.03), nice_step(12), nice_step(0)
        (0.05, 20.0, 1.0)
    """
    if least <= 0 or not math.isfinite(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(float(f"{n * power:.12g}") for n in (1, 2, 5, 10) if n * power >= least * 0.999999)


def zero_based(values: Iterable[float], begin: float, end: float, most: int = 5) -> Scale:
    """Return a linear scale from 0 to the first tick that no value exceeds."""
    largest = max([value for value in values if math.isfinite(value)], default=0) or 1.0
    step = nice_step(largest / most)
    return Scale(0, step * math.ceil(largest / step - 1e-9), begin, end)


def cost_scale(values: Sequence[float], begin: float, end: float) -> Scale:
    """Return a scale for a cost: from 0, or logarithmic where values differ by much."""
    smallest, largest = min(values), max(values)
    if smallest > 0 and largest / smallest > 8:
        return Scale(smallest / 1.4, largest * 1.4, begin, end, is_log=True)
    return zero_based([1.08 * largest], begin, end)


def x_axis(scale: Scale, y: float, top: float, label: str, unit: str = "") -> str:
    """Return grid lines, ticks and the label of a horizontal axis at height y."""
    parts = []
    for value in scale.ticks():
        x = scale(value)
        parts.append(element("line", x1=x, x2=x, y1=top, y2=y, class_="grid"))
        text = f"{short(value)}{unit}"
        parts.append(element("text", text=text, x=x, y=y + 14, text_anchor="middle", class_="tick"))
    middle = (scale.begin + scale.end) / 2
    parts.append(
        element("text", text=label, x=middle, y=y + 30, text_anchor="middle", class_="axis")
    )
    return "".join(parts)


def y_axis(scale: Scale, x: float, right: float, label: str, unit: str = "") -> str:
    """Return grid lines, ticks and the label of a vertical axis at x; the label lies on top."""
    parts = []
    for value in scale.ticks():
        y = scale(value)
        parts.append(element("line", x1=x, x2=right, y1=y, y2=y, class_="grid"))
        text = f"{short(value)}{unit}"
        parts.append(element("text", text=text, x=x - 5, y=y + 4, text_anchor="end", class_="tick"))
    top = min(scale.begin, scale.end)
    parts.append(element("text", text=label, x=x - 5, y=top - 12, class_="axis"))
    return "".join(parts)


def short(value: float) -> str:
    """Return a tick's value as people write it.

    Example:
        >>> short(0.30000000000000004), short(1500.0), short(1e-05)
        ('0.3', '1,500', '10⁻⁵')
    """
    if value and abs(value) < 1e-3:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        factor = value / 10.0**power
        return f"10{digits}" if abs(factor - 1) < 1e-6 else f"{factor:g}·10{digits}"
    text = f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return text


def path(points: Iterable[tuple[float, float]], is_closed: bool = False) -> str:
    """Return the `d` of a path through points."""
    joined = "L".join(f"{_plain(x)} {_plain(y)}" for x, y in points)
    return f"M{joined}{'Z' if is_closed else ''}"


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [
            float(f"{n}e{power}")
            for power in powers
            for n in factors
            if low <= float(f"{n}e{power}") <= high
        ]
        if len(found) <= most + 1:
            return found
    return found[:: -(-len(found) // most)]


def _plain(value: object) -> str:
    """Return a number with two decimals at most, anything else as text."""
    return f"{round(value, 2):g}" if isinstance(value, int | float) else str(value)
