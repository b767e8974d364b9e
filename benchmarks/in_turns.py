"""Two sides of a comparison in one process, in turns, by processor seconds; rows kept in a CSV."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from zoo.utils.timing import processor_name, versions


def compared(
    comparison: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    passes: int,
    bar: float,
) -> dict[str, Any]:
    """Return the medians of both sides and their ratio.

    Args:
        comparison: Names the row.
        ours: One pass of our side.
        theirs: One pass of the other.
        passes: Passes of each that count; one more warms up.
        bar: Largest ratio of ours to theirs that is good enough.
    """
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(passes + 1):
        for name, work in (("ours", ours), ("theirs", theirs)):
            begin = time.process_time()
            work()
            if turn:
                seconds[name].append(time.process_time() - begin)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    ratio = median["ours"] / median["theirs"]
    return {
        "comparison": comparison,
        "ours_cpu_s": round(median["ours"], 4),
        "theirs_cpu_s": round(median["theirs"], 4),
        "ratio": round(ratio, 3),
        "bar": round(bar, 3),
        "met": ratio <= bar,
        "passes": passes,
    }


def keep(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows, and where they were measured; a row of the same comparison is replaced."""
    table = pd.DataFrame(rows).assign(
        threads=torch.get_num_threads(),
        processor=processor_name(),
        date=str(date.today()),
        torch=versions()["torch"],
    )
    if path.is_file():
        old = pd.read_csv(path)
        table = pd.concat([old[~old["comparison"].isin(table["comparison"])], table])
    table.to_csv(path, index=False)
    print(table.to_string(index=False))
