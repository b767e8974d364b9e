"""`zoo efficiency RUN...`: what one image costs, as rows of CSV."""

from __future__ import annotations

import argparse
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

from zoo.benchmark.executors import Setup
from zoo.cli.shared import add_device, add_path, check_new, log
from zoo.recipes.trust import is_trusting, trusting
from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError

HELP = "time, memory, parameters and operations of runs by image size, as CSV"
EPILOG = (
    "One image at a time, random pixels, from memory to the finished mask; at least 20 passes "
    "and 30 s per size, the number of passes is in the row. Every row is measured in a process of "
    "its own. RUN: run folders, or folders above."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    add_path(parser, "runs", nargs="+", metavar="RUN")
    parser.add_argument(
        "--sizes", nargs="+", type=_size, metavar="HxW", help="default: 256x256 512x512 1024x1224"
    )
    parser.add_argument("--passes", type=int, default=20, metavar="N", help="timed, at least")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="at least")
    add_path(parser, "--out", metavar="FILE", help="a new CSV; default: printed")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Measure every run at every size."""
    from zoo.runs.check import runs_below

    if args.out:
        check_new(args.out)
    if args.passes < 1 or args.seconds < 0:
        raise ZooError("--passes must be 1 or more and --seconds 0 or more")
    found = [folder for path in args.runs for folder in runs_below(path)]

    from zoo.results.efficiency import SIZES

    sizes = args.sizes or SIZES
    rows, failed = [], 0
    for folder, size in product(found, sizes):
        log(f"{folder} at {size[0]}x{size[1]}")
        words = (folder, size, args.passes, args.seconds, args.device)
        try:
            rows.append(measured(words, alone=len(found) * len(sizes) > 1))
        except ZooError as error:  # the other rows are worth having
            log(f"left out: {error}")
            failed += 1
            continue
        if args.out:
            write_text(args.out, _csv(rows))
    if rows and args.out:
        print(f"{len(rows)} rows written to {args.out}")
    elif rows:
        print(_csv(rows), end="")
    return 1 if failed else 0


def measured(words: tuple, alone: bool) -> dict[str, Any]:
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
