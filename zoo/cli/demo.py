"""`zoo demo`: render the tiny data set, run a recipe on it and print the table."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "the whole way in minutes: render a tiny data set, train, calibrate, score, print the table"
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
    from zoo.data.tiny import write_tiny

    data = write_tiny(args.out / "tiny", seed=args.seed, progress=print)
    print(f"\nsame as: zoo bench {RECIPE} --data.root {data} --out {args.out / 'runs'}")
    code = bench([RECIPE], data, None, [args.seed], None, args.out / "runs", args.debug)
    print(f"\nlook at {args.out / 'runs'}: masks in cases/, numbers in metrics.json and cost.json")
    return code
