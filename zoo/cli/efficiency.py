"""`zoo efficiency RUN...`: what one picture costs, as rows of CSV."""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

from zoo.benchmark.executors import Setup
from zoo.recipes.trust import is_trusting, trusting
from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_home

HELP = "time, memory, parameters and operations of runs by picture size, as CSV"
EPILOG = (
    "One picture at a time, random pixels, from memory to the finished mask; at least 20 passes "
    "and 30 s per size, the number of passes is in the row. Every row is measured in a process of "
    "its own. RUN: run folders, or folders above."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("runs", nargs="+", type=expand_home, metavar="RUN")
    parser.add_argument(
        "--sizes", nargs="+", type=_size, metavar="HxW", help="default: 256x256 512x512 1024x1224"
    )
    parser.add_argument(
        "--full-size",
        action="store_true",
        help="the network sees pictures at their own size, whatever the recipe resizes to, or at "
        "the nearest one that it takes",
    )
    parser.add_argument("--passes", type=int, default=20, metavar="N", help="timed, at least")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="at least")
    parser.add_argument(
        "--out", type=expand_home, metavar="FILE", help="a new CSV; default: printed"
    )
    parser.add_argument("--device", metavar="D", help="such as cpu or cuda:1")


def run(args: argparse.Namespace) -> int:
    """Measure every run at every size."""
    from zoo.runs.check import runs_below

    if args.out and args.out.exists():
        raise ZooError(f"{args.out} exists: move it, or name another file with --out")
    if args.passes < 1 or args.seconds < 0:
        raise ZooError("--passes must be 1 or more and --seconds 0 or more")
    found = [folder for path in args.runs for folder in runs_below(path)]

    from zoo.results.efficiency import SIZES

    sizes = args.sizes or SIZES
    rows, failed = [], 0
    for folder, size in product(found, sizes):
        print(f"{folder} at {size[0]}x{size[1]}", file=sys.stderr)
        words = (folder, size, args.passes, args.seconds, args.device, args.full_size)
        try:
            rows.append(_measured(words, alone=len(found) * len(sizes) > 1))
        except ZooError as error:  # the other rows are worth having
            print(f"left out: {error}", file=sys.stderr)
            failed += 1
            continue
        if args.out:
            write_text(args.out, _csv(rows))
    if rows and args.out:
        print(f"{len(rows)} rows written to {args.out}")
    elif rows:
        print(_csv(rows), end="")
    return 1 if failed else 0


def _measured(words: tuple, alone: bool) -> dict[str, Any]:
    """Return one row; alone in a new process, where nothing that was measured before counts."""
    if not alone:
        return _row(words)
    setup = Setup(is_trusting(), debug=False)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=setup.apply) as process:
        return process.submit(_row, words, setup.trust).result()


def _row(words: tuple, trust: bool = False) -> dict[str, Any]:
    from zoo.results.efficiency import measure

    with trusting(trust):
        return measure(*words)


def _csv(rows: list[dict[str, Any]]) -> str:
    import pandas as pd

    from zoo.utils.markdown import csv_text

    return csv_text(pd.DataFrame(rows))


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no size, write it as 512x512")
    height, width = text.split("x")
    return int(height), int(width)
