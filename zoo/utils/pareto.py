"""Pareto fronts: which of several candidates no other one beats."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(
    points: Sequence[Sequence[float | None]], larger_is_better: Sequence[bool]
) -> list[bool]:
    """Return for every point whether it is on the front.

    One point beats another if it is at least as good in everything and better in something, so
    equal points are on the front together. A point that lacks a value (None or NaN) is not on the
    front and beats none.

    Args:
        points: One value per criterion.
        larger_is_better: For every criterion, whether more of it is better.

    Example:
        >>> pareto_front([(0.5, 80), (0.4, 20), (0.4, 90)], larger_is_better=(True, False))
        [True, True, False]
    """
    known = [_gains(point, larger_is_better) for point in points]
    return [
        mine is not None and not any(_beats(other, mine) for other in known if other is not None)
        for mine in known
    ]


def _gains(
    point: Sequence[float | None], larger_is_better: Sequence[bool]
) -> tuple[float, ...] | None:
    """Return a point with more being better everywhere, None where a value is missing."""
    gains: list[float] = []
    for value, larger in zip(point, larger_is_better, strict=True):
        if value is None or math.isnan(value):
            return None
        gains.append(value if larger else -value)
    return tuple(gains)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
