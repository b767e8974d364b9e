"""`zoo table`: results of run folders and result files, beside the published VAND rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError
from zoo.utils.markdown import markers, with_block

HELP = "print results: SegF1, drop, ranks and cost, beside the published VAND rows"
BLOCK = "zoo table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="DIR", help="run folders, or CSV made from them"
    )
    parser.add_argument(
        "--format", choices=("md", "csv", "json"), default="md", help="csv and json: every row"
    )
    parser.add_argument(
        "--ranked",
        action="store_true",
        help="with csv and json: methods with ranks, ours and published, instead of every row",
    )
    parser.add_argument(
        "--means", action="store_true", help="with md: no tables per object, and none beside ranks"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help=f"replace what stands after '{markers(BLOCK)[0]}' in FILE",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table, or put it into a document; 1 if a damaged run was left out."""
    from zoo.results.rows import read_rows
    from zoo.results.table import render

    if args.ranked and args.format == "md":
        raise ZooError("--ranked is for --format csv and json: the tables of md are ranked anyway")
    with naming_left_out() as damaged:
        rows = read_rows(args.sources, damaged.append)
    text = render(rows, args.format, args.ranked, args.means)
    if args.into is None:
        print(text)
    else:
        document = args.into.read_text(encoding="utf-8")
        changed = with_block(document, BLOCK, text, str(args.into))
        write_text(args.into.resolve(), changed)
    return 1 if damaged else 0


@contextmanager
def naming_left_out() -> Iterator[list[ZooError]]:
    """Give a list for what is wrong with damaged runs; each becomes a line on stderr."""
    damaged: list[ZooError] = []
    try:
        yield damaged
    finally:
        for error in damaged:
            print(f"zoo: left out: {error}", file=sys.stderr)
