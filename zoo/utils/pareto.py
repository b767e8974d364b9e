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
    signs = [1 if larger else -1 for larger in larger_is_better]
    known = [
        None
        if any(value is None or math.isnan(value) for value in point)
        else [sign * value for sign, value in zip(signs, point, strict=True) if value is not None]
        for point in points
    ]
    return [
        mine is not None and not any(_beats(other, mine) for other in known if other is not None)
        for mine in known
    ]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
