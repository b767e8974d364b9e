"""Tables as plain texts, markdown and CSV, and generated blocks of documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.utils.errors import ZooError
from zoo.utils.text import csv_cell, markdown_cell, markdown_prose

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """The content of a table, for any output.

    Attributes:
        title: What it shows, for outputs with headings.
        head: Names of the columns.
        rows: One text per column; `**` on both sides makes it bold.
        n_texts: How many columns on the left are texts; the others are numbers.
        before: What must be read first.
        after: Notes and sources.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_texts: int = 1
    before: str = ""
    after: str = ""

    def markdown(self) -> str:
        """Return the table with its notes, without its title."""
        head, *rows = ([markdown_cell(cell) for cell in row] for row in (self.head, *self.rows))
        before, after = map(markdown_prose, (self.before, self.after))
        parts = [before, grid(head, rows, self.n_texts), after]
        return "\n\n".join(part for part in parts if part)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], n_texts: int = 1) -> str:
    """Return a markdown table of markdown cells; the first `n_texts` columns are texts."""
    rule = ["---"] * n_texts + ["---:"] * (len(head) - n_texts)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def csv_text(frame: pd.DataFrame, float_format: str = "%.6g") -> str:
    """Return a frame as CSV in which no text is a formula."""
    safe = frame.rename(columns=lambda name: csv_cell(str(name)))
    for column in safe.select_dtypes(exclude="number").columns:
        safe[column] = [csv_cell(cell) if isinstance(cell, str) else cell for cell in safe[column]]
    return str(safe.to_csv(index=False, float_format=float_format, lineterminator="\n"))


def percent(value: float | None) -> str:
    """Return a fraction in percent, or a dash for None and NaN.

    Example:
        >>> percent(0.5381), percent(None)
        ('53.8 %', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def whole(value: float | None) -> str:
    """Return a number without decimals, or a dash for None and NaN."""
    return "-" if value is None or math.isnan(value) else f"{value:.0f}"


def markers(block: str) -> tuple[str, str]:
    """Return the lines before and after a generated block, `<!-- zoo table: begin -->`, ..."""
    return f"<!-- {block}: begin -->", f"<!-- {block}: end -->"


def with_block(document: str, block: str, text: str, name: str) -> str:
    """Return a document with `text` between the marker lines of a block.

    Args:
        document: The whole text.
        block: The command that prints the block, which is its name: `zoo table`.
        text: What goes between the lines.
        name: Of the document, for the error.

    Raises:
        ZooError: The markers are not there.
    """
    begin, end = markers(block)
    head, opened, rest = document.partition(begin)
    _, closed, tail = rest.partition(end)
    if not opened or not closed:
        raise ZooError(f"{name} has no lines '{begin}' and '{end}': add them where the text goes")
    return f"{head}{begin}\n{text}\n{end}{tail}"
