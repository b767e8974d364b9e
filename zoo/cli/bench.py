"""`zoo bench`: recipes x objects x seeds, resumable, into run folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = "run recipes on all objects of a data set: fit, calibrate, evaluate every split"
EPILOG = (
    "Numbers depend on the threads of a run, not on where it is carried out: keep --threads the "
    "same and results are the same, and what is finished stays finished. docs/cluster.md is "
    "about several GPUs and machines."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="name or YAML file")
    parser.add_argument(
        "--data.root",
        dest="data_root",
        type=Path,
        required=True,
        metavar="DIR",
        help="the data set",
    )
    parser.add_argument("--objects", nargs="+", default=["all"], metavar="NAME", help="or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N")
    parser.add_argument("--splits", nargs="+", metavar="SPLIT", help="default: all on disk")
    parser.add_argument(
        "--keep",
        choices=("model", "maps", "none"),
        default="model",
        help="of each run: the model, all score maps besides, or neither",
    )
    parser.add_argument(
        "--sealed",
        action="store_true",
        help="fit and calibrate in a process that is given train and validation only, and write "
        "attestation.json; `zoo verify RUN` checks it",
    )
    parser.add_argument(
        "--no-object",
        dest="no_objects",
        action="append",
        default=[],
        metavar="NAME",
        help="an object's name that means something else where a recipe has it",
    )
    parser.add_argument(
        "--accept-old",
        action="store_true",
        help="count runs as finished that other code made with the same settings",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--dry-run", action="store_true", help="print runs and time, and stop")
    group = parser.add_argument_group("many runs")
    group.add_argument(
        "--jobs", type=_positive, metavar="N", help="runs at a time, each in a process of its own"
    )
    group.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="of each run; default: all there are, divided among the jobs",
    )
    group.add_argument(
        "--devices", type=_listed, default=[], metavar="0,1", help="GPUs, one run at a time on each"
    )
    group.add_argument(
        "--executor", choices=("local", "ray"), default="local", help="this machine, or a cluster"
    )
    group.add_argument("--address", help="of the Ray cluster, such as auto")


def run(args: argparse.Namespace) -> int:
    """Run the grid and print its table; 1 unless every run of the plan is there."""
    from zoo.data import layout
    from zoo.recipes.files import find_recipe
    from zoo.runs.folder import check_writable

    # Typing errors show before the seconds that the imports take.
    layout.check_objects(args.data_root, args.objects)
    for name in args.recipes:
        find_recipe(name)
    if not args.dry_run:
        check_writable(args.out)
    options = {key: value for key, value in vars(args).items() if key != "passed"}
    return bench_and_tabulate(**options)


def bench_and_tabulate(**options: Any) -> int:
    """Run a grid, print its table, and return the exit code; options as `zoo.bench`."""
    from zoo.benchmark.bench import bench
    from zoo.cli.table import naming_left_out
    from zoo.results.rows import read_rows
    from zoo.results.table import render

    runs = bench(**options)
    if runs and not options.get("dry_run"):
        with naming_left_out() as damaged:
            print(f"\n{render(read_rows([options['out']], damaged.append), means_only=True)}")
    for label, reason in runs.failed:
        print(f"failed: {label}: {reason}")
    for label, reason in runs.busy:
        print(f"left out: {label}: {reason}")
    return 1 if runs.failed or runs.busy else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1")
    return int(text)


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
