"""What the runs of a recipe cost: seconds, ms per image, peak memory, and on which machine."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_MACHINE = ("device", "processor", "threads")


@dataclass(frozen=True)
class Cost:
    """Cost of one recipe over its runs; None where no run measured it.

    Attributes:
        seconds: Fit, calibration and all splits of one object; mean over seeds, then over objects.
        latency_ms: One image, median; the same mean.
        peak_mb: Largest resident memory of any run's process, MB of 10**6 bytes.
        machines: Device, processor and threads of the runs, as one text each.
    """

    seconds: float | None = None
    latency_ms: float | None = None
    peak_mb: float | None = None
    machines: frozenset[str] = frozenset()

    def record(self) -> dict[str, float | None]:
        """Return the figures under the names that rows of runs have."""
        return {
            "total_s": self.seconds,
            "p50_ms": self.latency_ms,
            "peak_rss_mb": self.peak_mb,
        }


def cost_of(rows: pd.DataFrame) -> Cost:
    """Return the cost of one recipe's rows, of which each run has one per split."""
    runs = rows.drop_duplicates(["object", "seed"]).reindex(
        columns=["total_s", "p50_ms", "peak_rss_mb", *_MACHINE]
    )
    known = runs[list(_MACHINE)].dropna(how="all").drop_duplicates()
    means = runs[["total_s", "p50_ms"]].astype(float).groupby(rows["object"]).mean().mean()
    return Cost(
        _or_none(means["total_s"]),
        _or_none(means["p50_ms"]),
        _or_none(runs["peak_rss_mb"].astype(float).max()),
        frozenset(" ".join(map(str, each)) for each in known.to_numpy().tolist()),
    )


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
