"""`zoo efficiency RUN...`: what one picture costs, as rows of CSV."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from zoo.errors import ZooError

HELP = "time, memory, parameters and operations of runs by picture size, as CSV"
EPILOG = (
    "One picture at a time, random pixels, from memory to the finished mask; at least 20 passes "
    "and 30 s per size, the number of passes is in the row. RUN: run folders, or folders above."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("runs", nargs="+", type=_path, metavar="RUN")
    parser.add_argument(
        "--sizes", nargs="+", type=_size, metavar="HxW", help="default: 256x256 512x512 1024x1224"
    )
    parser.add_argument(
        "--full-size",
        action="store_true",
        help="the network sees pictures at their own size, whatever the recipe resizes to",
    )
    parser.add_argument("--passes", type=int, default=20, metavar="N", help="timed, at least")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="at least")
    parser.add_argument("--out", type=_path, metavar="FILE", help="a new CSV; default: printed")
    parser.add_argument("--device", metavar="D", help="such as cpu or cuda:1")


def run(args: argparse.Namespace) -> int:
    """Measure every run at every size."""
    from zoo.runs.check import runs_below

    if args.out and args.out.exists():
        raise ZooError(f"{args.out} exists: move it, or name another file with --out")
    if args.passes < 1 or args.seconds < 0:
        raise ZooError("--passes must be 1 or more and --seconds 0 or more")
    found = [folder for path in args.runs for folder in runs_below(path)]

    import pandas as pd

    from zoo.efficiency import SIZES, measure

    rows = []
    for folder in found:
        for size in args.sizes or SIZES:
            print(f"{folder} at {size[0]}x{size[1]}", file=sys.stderr)
            row = measure(folder, size, args.passes, args.seconds, args.device, args.full_size)
            rows.append(row.to_dict())
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    if args.out is None:
        print(text, end="")
    else:
        args.out.write_text(text, encoding="utf-8")
        print(f"{len(rows)} rows written to {args.out}")
    return 0


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no size, write it as 512x512")
    height, width = text.split("x")
    return int(height), int(width)


def _path(text: str) -> Path:
    return Path(text).expanduser()
