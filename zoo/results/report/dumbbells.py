"""What changed light takes: SegF1 on private and on private_mixed, joined by a line per recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.results.leaderboard import drop
from zoo.results.report.svg import WIDTH, chart, element, x_axis, zero_based
from zoo.utils.markdown import percent

_ROW, _LEFT, _RIGHT = 38, 14, WIDTH - 62


@dataclass(frozen=True)
class Pair:
    """Mean SegF1 of one recipe on both private splits, as fractions; colour is its number."""

    name: str
    colour: int
    private: float
    mixed: float


def drops(title: str, pairs: Sequence[Pair]) -> str:
    """Return a chart with a row per recipe: a full dot on private, a ring on private_mixed."""
    scale = zero_based([100 * max(each.private, each.mixed) for each in pairs], _LEFT, _RIGHT)
    parts, y = [], 4.0
    for pair in pairs:
        line = y + 26
        begin, end = scale(100 * pair.private), scale(100 * pair.mixed)
        loss = drop(pair.private, pair.mixed)
        said = f"{pair.name}: {100 * pair.private:.1f} % on private, {100 * pair.mixed:.1f} % on "
        said += f"private_mixed, drop {percent(loss)}"
        parts += [
            element("text", text=pair.name, x=_LEFT, y=y + 13, class_="label"),
            element(
                "g",
                element("title", text=said),
                element(
                    "line", x1=begin, x2=end, y1=line, y2=line, class_=f"stroke c{pair.colour}"
                ),
                element("circle", cx=begin, cy=line, r=5, class_=f"fill c{pair.colour}"),
                element("circle", cx=end, cy=line, r=5, class_=f"ring c{pair.colour}"),
            ),
            element("text", text=percent(loss), x=WIDTH - 4, y=line + 4, class_="value end"),
        ]
        y += _ROW
    axis = x_axis(scale, y + 4, 4, "SegF1: full dot private, ring private_mixed", " %")
    head = element("text", text="drop", x=WIDTH - 4, y=y + 18, class_="tick end")
    return chart(title, y + 40, axis, head, *parts)
