"""`zoo demo`: render the tiny data set, run a recipe on it, print the table, write the report."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "the whole way in minutes: render a tiny data set, train, calibrate, score, table and report"
RECIPE = "patchcore/embedded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="data and runs go below"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the data and the run")


def run(args: argparse.Namespace) -> int:
    """Make the data set if it is not there, and bench the recipe on it."""
    from zoo.cli.bench import bench
    from zoo.cli.report import write_report
    from zoo.data.tiny import write_tiny
    from zoo.standings.rows import finished_runs

    data = write_tiny(args.out / "tiny", seed=args.seed, progress=print)
    print(f"\nsame as: zoo bench {RECIPE} --data.root {data} --out {args.out / 'runs'}")
    runs = args.out / "runs"
    code = bench([RECIPE], data, None, [args.seed], None, runs, args.debug)
    print(f"\nlook at {runs}: masks in cases/, numbers in metrics.json and cost.json")
    if finished_runs([runs]):
        write_report([runs], args.out / "report.html", "The demo of anomalib-zoo")
    return code
