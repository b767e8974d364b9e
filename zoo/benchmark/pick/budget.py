"""What a deployed model may cost, as people write it: `50ms,2GB`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoo.utils.errors import ZooError

_UNITS = {"ms": 1.0, "s": 1e3, "mb": 1.0, "gb": 1e3}
_LIKE = "write it like 50ms,2GB, 50ms or 500MB"


@dataclass(frozen=True)
class Budget:
    """The most that one picture may cost; None is no limit.

    Attributes:
        latency_ms: From the decoded picture to its mask, median.
        memory_mb: Peak resident memory of a process that does nothing else, libraries included.
    """

    latency_ms: float | None = None
    memory_mb: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return what a text says.

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
