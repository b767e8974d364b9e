"""`zoo report`: run folders as one HTML file with tables, charts, curves and cases."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.utils.atomic import unwritable, write_text
from zoo.utils.errors import ZooError

HELP = "write one HTML file: tables, cost, light, thresholds, the worst and best cases of every run"
MOST_CASES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="RUNS", help="run folders, or CSV made from them"
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")
    parser.add_argument(
        "--title", default="Visual anomaly detection, compared", metavar="TEXT", help="its heading"
    )
    parser.add_argument(
        "--cases",
        type=int,
        default=MOST_CASES,
        metavar="N",
        help=f"images of at most N cases of each run (default {MOST_CASES}); 0 for none",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file and say where it is and how large; 1 if a damaged run was left out."""
    damaged = write_report(args.sources, args.out, args.title, args.cases)
    return 1 if damaged else 0


def write_report(
    sources: list[Path], out: Path, title: str = "Visual anomaly detection", cases: int = MOST_CASES
) -> list[ZooError]:
    """Write the report of some runs, whole or not at all, and print one line about it.

    Returns:
        What is wrong with damaged runs, which are named on stderr and left out.

    Raises:
        ZooError: No finished run, fewer than no cases, or nothing can be written there.
    """
    from zoo.cli.table import naming_left_out
    from zoo.results.report.page import page

    if cases < 0:
        raise ZooError(f"--cases {cases}: give 0 or more")
    if out.is_dir():
        raise ZooError(f"{out} is a folder: give a file, such as {out / 'report.html'}")
    with naming_left_out() as damaged:
        text = page(sources, title, cases, damaged.append)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    except OSError as error:
        why = unwritable(error, out) or f"{out} cannot be written ({error.strerror}): give --out"
        raise ZooError(why) from error
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, one file, no network needed")
    return damaged
