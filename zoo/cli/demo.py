"""`zoo demo`: render the tiny data set, run every method on it, print the table, write a report."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "the whole way in minutes: render a tiny data set, train, calibrate, score, table and report"
EPILOG = (
    "The recipes named demo are small, and the trained ones far from trained: they show that all "
    "works, and their rows are no comparison of methods."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--recipes", nargs="+", metavar="RECIPE", help="default: METHOD/demo of every method"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="data and runs go below"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the data and the run")


def run(args: argparse.Namespace) -> int:
    """Make the data set if it is not there, and bench the recipes on it."""
    from zoo.cli.bench import bench_and_tabulate
    from zoo.cli.report import write_report
    from zoo.data.tiny import write_tiny
    from zoo.recipes.files import DEMO, recipe_names
    from zoo.results.rows import finished_runs

    data = write_tiny(args.out / "tiny", seed=args.seed, progress=print)
    recipes = args.recipes or [name for name in recipe_names() if name.endswith(DEMO)]
    runs = args.out / "runs"
    print(f"\nsame as: zoo bench {' '.join(recipes)} --data.root {data} --out {runs}")
    code = bench_and_tabulate(
        recipes=recipes, data_root=data, seeds=[args.seed], out=runs, debug=args.debug
    )
    print(f"\nlook at {runs}: masks in cases/, numbers in metrics.json and cost.json")
    if finished_runs([runs], lambda error: None):  # the report names damaged ones
        write_report([runs], args.out / "report.html", "The demo of anomalib-zoo")
    return code
