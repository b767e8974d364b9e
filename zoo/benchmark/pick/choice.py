"""A budget, what came out of every candidate, and which one is taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from zoo.export.cost import DeployedCost
from zoo.utils.errors import ZooError
from zoo.utils.pareto import pareto_front

_UNITS = {"ms": 1.0, "s": 1e3, "mb": 1.0, "gb": 1e3}
_LIKE = "write it like 50ms,2GB, 50ms or 500MB"


@dataclass(frozen=True)
class Budget:
    """The most that one image may cost; None is no limit.

    Attributes:
        latency_ms: From the decoded image to its mask, median.
        memory_mb: Peak resident memory of a process that does nothing else, libraries included.
    """

    latency_ms: float | None = None
    memory_mb: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read a text.

        Raises:
            ZooError: It is no budget, or gives one thing twice.
        """
        found: dict[str, float] = {}
        for part in text.split(","):
            matched = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|mb|gb)\s*", part.lower())
            if matched is None or float(matched[1]) == 0:
                raise ZooError(f"the budget '{text}' cannot be read: {_LIKE}")
            key = "latency_ms" if matched[2] in ("ms", "s") else "memory_mb"
            if key in found:
                raise ZooError(f"the budget '{text}' gives one thing twice: {_LIKE}")
            found[key] = float(matched[1]) * _UNITS[matched[2]]
        return cls(**found)

    def excess(self, latency_ms: float, memory_mb: float) -> float:
        """Return how many times a cost is beyond the budget; at most 1 fits."""
        pairs = ((latency_ms, self.latency_ms), (memory_mb, self.memory_mb))
        return max((cost / limit for cost, limit in pairs if limit is not None), default=0.0)

    def __str__(self) -> str:
        """Return it as people write it."""
        latency = [] if self.latency_ms is None else [f"{self.latency_ms:g} ms"]
        memory = [] if self.memory_mb is None else [f"{self.memory_mb:g} MB"]
        return " and ".join(latency + memory)


@dataclass(frozen=True)
class Row:
    """One candidate in one precision.

    Attributes:
        candidate: Its name.
        precision: fp32, fp16 or int8.
        cost: What it costs; None for one that failed.
        estimated_segf1: The estimate; None for one that failed.
        graph: The file, where there is one.
        reason: Why it failed.
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
