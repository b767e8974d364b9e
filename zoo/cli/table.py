"""`zoo table`: results of run folders and result files, beside the published VAND rows."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "print results: recipe x split SegF1, drop, cost, beside the published VAND rows"
BEGIN, END = "<!-- zoo table: begin -->", "<!-- zoo table: end -->"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="DIR", help="run folders, or CSV made from them"
    )
    parser.add_argument(
        "--format", choices=("md", "csv", "json"), default="md", help="csv and json: every row"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help=f"replace what stands after '{BEGIN}' in FILE"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table, or put it into a document."""
    from zoo.table import render, rows_of

    text = render(rows_of(args.sources), args.format)
    if args.into is None:
        print(text)
        return 0
    document = args.into.read_text(encoding="utf-8")
    args.into.write_text(with_block(document, text, str(args.into)), encoding="utf-8")
    return 0


def with_block(document: str, text: str, name: str) -> str:
    """Return the document with `text` between its two marker lines.

    Raises:
        ZooError: The markers are not there.
    """
    from zoo.errors import ZooError

    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ZooError(f"{name} has no lines '{BEGIN}' and '{END}': add them where the table goes")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"
