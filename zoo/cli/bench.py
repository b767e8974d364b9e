"""`zoo bench`: recipes x objects x seeds, resumable, into run folders."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "run recipes on all objects of a data set: fit, calibrate, judge every split"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="name or YAML file")
    parser.add_argument(
        "--data.root", dest="root", type=Path, required=True, metavar="DIR", help="the data set"
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
        help="fit and calibrate in a process that can read train and validation only, and write "
        "attestation.json; `zoo verify RUN` checks it",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")


def run(args: argparse.Namespace) -> int:
    """Run the grid and print its table; 1 if a run failed."""
    from zoo.data import layout
    from zoo.recipes import find_recipe

    # Typing errors show before the seconds that the imports take.
    layout.check_objects(args.root, args.objects)
    for name in args.recipes:
        find_recipe(name)
    return bench(
        args.recipes,
        args.root,
        args.objects,
        args.seeds,
        args.splits,
        args.out,
        args.debug,
        args.keep,
        args.sealed,
    )


def bench(
    recipes: list[str],
    root: Path,
    objects: list[str] | None,
    seeds: list[int],
    splits: list[str] | None,
    out: Path,
    debug: bool = False,
    keep: str = "model",
    is_sealed: bool = False,
) -> int:
    """Run a grid, print the table of its folder, and return the exit code."""
    from zoo.runs.grid import plan, run_grid
    from zoo.runs.progress import GridProgress
    from zoo.table import render, rows_of

    specs = plan(recipes, root, objects, seeds, splits, out, keep, is_sealed)
    print(f"{len(specs)} runs into {out}; Ctrl-C keeps what is finished, the same command goes on")
    result = run_grid(specs, GridProgress(len(specs), debug=debug))
    if result.finished or result.skipped:
        print(f"\n{render(rows_of([out]), means_only=True)}")
    for label, reason in result.failed:
        print(f"failed: {label}: {reason}")
    return 1 if result.failed else 0
