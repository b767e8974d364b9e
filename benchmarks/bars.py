"""What speed benchmarks share: processor time of one thread, peak memory, and a table of bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from zoo.utils.timing import processor_name, versions

_PACKAGES = ("anomalib-zoo", "anomalib", "torch", "numpy")


def cpu_ms(work: Callable[[], object], passes: int = 5) -> float:
    """Return the processor time of one call in ms: the median of several, after one that warms up.

    Processor time of one process hardly depends on what else the machine does; ratios less still.
    """
    work()
    times = []
    for _ in range(passes):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1e3 * sorted(times)[len(times) // 2]


@dataclass(frozen=True)
class Bar:
    """One row: what was done, in what time, against what, and what was asked for.

    Attributes:
        work: What was measured.
        against: What it is compared with.
        ours: Our value.
        theirs: The value of the other side, in the same unit.
        unit: Of both.
        ratio: How many times better ours is.
        must: The ratio that was asked for.
        agrees: Whether both sides gave the same result, as far as that was asked.
    """

    work: str
    against: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    must: str
    agrees: str = ""


def write_table(bars: list[Bar], path: Path, command: str) -> None:
    """Print the rows and write them as CSV, with processor, versions and command."""
    table = pd.DataFrame([asdict(bar) for bar in bars])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    table["processor"] = processor_name()
    found = versions()
    table["versions"] = " ".join(f"{name}={found[name]}" for name in _PACKAGES)
    table["command"] = command
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")
    print(f"written to {path}")
