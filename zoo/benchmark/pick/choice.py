"""What came out of every candidate, and which one is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from zoo.benchmark.pick.budget import Budget
from zoo.export.cost import DeployedCost
from zoo.utils.errors import ZooError
from zoo.utils.pareto import pareto_front


@dataclass(frozen=True)
class Row:
    """One candidate in one precision.

    Attributes:
        candidate: Its name.
        precision: fp32, fp16 or int8.
        cost: What it costs; of one that was not fitted the least that it would.
        estimated_segf1: The estimate; None for one that was not fitted.
        graph: The file, where there is one.
        reason: Why it was not fitted, or failed.
        is_on_front: Whether no other is better in estimate, time and memory at once.
    """

    candidate: str
    precision: str
    cost: DeployedCost | None
    estimated_segf1: float | None = None
    graph: str | None = None
    reason: str = ""
    is_on_front: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self)


def with_front(rows: Sequence[Row]) -> list[Row]:
    """Return rows that know whether they are on the front of estimate, time and memory."""
    points = [
        (
            row.estimated_segf1,
            row.cost.latency_ms if row.cost else None,
            row.cost.memory_mb if row.cost else None,
        )
        for row in rows
    ]
    front = pareto_front(points, larger_is_better=(True, False, False))
    return [replace(row, is_on_front=on) for row, on in zip(rows, front, strict=True)]


def ranked(rows: Sequence[Row], budget: Budget) -> list[Row]:
    """Return the rows within the budget, the best estimate first; of equal ones the fastest.

    Raises:
        ZooError: None fits; the one that came closest is named.
    """
    known = [(row, row.cost) for row in rows if row.cost is not None]
    fitting = [
        (-row.estimated_segf1, cost.latency_ms, index)
        for index, (row, cost) in enumerate(known)
        if row.estimated_segf1 is not None and _excess(budget, cost) <= 1
    ]
    if fitting:
        return [known[index][0] for _, _, index in sorted(fitting)]
    if not known:
        raise ZooError(f"no candidate could be tried: {rows[0].candidate}: {rows[0].reason}")
    close, cost = min(known, key=lambda pair: _excess(budget, pair[1]))
    raise ZooError(
        f"nothing fits {budget}; closest came {close.candidate} in {close.precision} with "
        f"{cost.latency_ms:.1f} ms and {cost.memory_mb:.0f} MB: raise the budget, or try smaller "
        "--sizes"
    )


def _excess(budget: Budget, cost: DeployedCost) -> float:
    return budget.excess(cost.latency_ms, cost.memory_mb)
