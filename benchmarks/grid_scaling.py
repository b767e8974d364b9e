"""What does a grid gain by a second process, and what does each process and each run cost?

    python benchmarks/grid_scaling.py --work DIR --out results/grid_scaling.csv

The same runs, one thread each, in one process and in two: a small PatchCore on rendered images, or
another recipe; short runs show what is around them. Wall times need an idle
machine: the load at the beginning stands in every row, and the best of several passes counts.
Processor times hold under load as well: what a second process adds to them is what scaling costs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.utils.timing import processor_name, versions

FEW, MANY = 2, 6  # runs, a multiple of the processes
ZOO = "import sys; from zoo.cli import main; sys.exit(main(sys.argv[1:]))"
QUICK = """# PatchCore on small images.
model:
  class_path: ZooPatchcore
  init_args: {weights: embedded, image_size: 128, coreset_sampling_ratio: 0.02}
data:
  class_path: zoo.data.MVTecAD2Layout
"""
READY = "from zoo.benchmark.executors import processes; import zoo.benchmark.attempt"


def main() -> None:
    """Measure, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--recipe", help="default: a small PatchCore")
    parser.add_argument("--passes", type=int, default=2, metavar="N")
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    load, work = os.getloadavg()[0], args.work.resolve()
    quick = work / "quick.yaml"
    work.mkdir(parents=True, exist_ok=True)
    quick.write_text(QUICK, encoding="utf-8")
    table = pd.DataFrame(measure(work, args.recipe or str(quick), args.passes)).assign(
        recipe=args.recipe or quick.stem,
        load=round(load, 1),
        cores=len(os.sched_getaffinity(0)),
        processor=processor_name(),
        date=str(date.today()),
        torch=versions()["torch"],
    )
    print(table.to_string(index=False))
    if args.out:
        table.to_csv(args.out, index=False)


def measure(work: Path, recipe: str, passes: int) -> list[dict[str, Any]]:
    """Return one row per measure, in seconds of the clock and of processors."""
    from zoo.data.tiny import write_tiny

    data = write_tiny(work / "data", objects=["badge"])
    start = _best(passes, lambda: _spent([READY]))
    few = _best(passes, lambda: _grid(work, data, recipe, jobs=1, n_runs=FEW))
    one = _best(passes, lambda: _grid(work, data, recipe, jobs=1, n_runs=MANY))
    phases = _phases(work / "runs")
    two = _best(passes, lambda: _grid(work, data, recipe, jobs=2, n_runs=MANY))
    run = [(late - early) / (MANY - FEW) for early, late in zip(few, one, strict=True)]
    outside = [whole - inner for whole, inner in zip(run, phases, strict=True)]
    rows = {
        "start of a process": start,
        "a run": run,
        "a run, outside fit, calibration and judging": outside,
        f"{MANY} runs, 1 process": one,
        f"{MANY} runs, 2 processes": two,
        "1 process : 2 processes": [first / second for first, second in zip(one, two, strict=True)],
    }
    return [
        {"measure": name, "wall": round(wall, 2), "cpu": round(cpu, 2)}
        for name, (wall, cpu) in rows.items()
    ]


def _grid(work: Path, data: Path, recipe: str, jobs: int, n_runs: int) -> tuple[float, float]:
    """Return wall and processor seconds of a grid, from the shell's point of view."""
    shutil.rmtree(work / "runs", ignore_errors=True)
    words = ["bench", recipe, "--data.root", str(data), "--out", str(work / "runs")]
    words += ["--seeds", *map(str, range(n_runs)), "--jobs", str(jobs), "--threads", "1"]
    return _spent([ZOO, *words, "--splits", "test_public"])


def _spent(words: list[str]) -> tuple[float, float]:
    """Return wall and processor seconds of a Python process and all that it starts."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", *words], check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _phases(out: Path) -> tuple[float, float]:
    """Return the mean of what runs spent in their phases."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in out.rglob("cost.json")]
    sums = [
        (sum(each["wall_s"] for each in phases), sum(each["cpu_s"] for each in phases))
        for phases in (cost["phases"].values() for cost in found)
    ]
    walls, cpus = zip(*sums, strict=True)
    return sum(walls) / len(sums), sum(cpus) / len(sums)


def _best(passes: int, work: Any) -> tuple[float, float]:
    """Return the least wall and the least processor seconds of several passes."""
    walls, cpus = zip(*(work() for _ in range(passes)), strict=True)
    return min(walls), min(cpus)


if __name__ == "__main__":
    main()
