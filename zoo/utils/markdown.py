"""A table as plain texts, and as markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.utils.text import csv_cell, markdown_cell, markdown_prose

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """What a table says, whoever prints it.

    Attributes:
        title: What it shows, for those who print headings.
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
    """Return a markdown table whose first columns are texts and the others numbers.

    Cells are markdown: names of strangers go through `zoo.utils.text.markdown_cell` first.
    """
    rule = ["---"] * n_texts + ["---:"] * (len(head) - n_texts)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def csv_text(frame: pd.DataFrame, float_format: str = "%.6g") -> str:
    """Return a frame as CSV in which no name is a formula."""
    texts = frame.select_dtypes(exclude="number").columns
    safe = frame.copy()
    safe.columns = [csv_cell(str(name)) for name in frame.columns]
    for name in texts:
        safe[csv_cell(str(name))] = [
            csv_cell(each) if isinstance(each, str) else each for each in frame[name]
        ]
    return safe.to_csv(index=False, float_format=float_format, lineterminator="\n")


def percent(value: float | None) -> str:
    """Return a fraction as people read it, or a dash.

    Example:
        >>> percent(0.5381), percent(None)
        ('53.8 %', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def whole(value: float | None) -> str:
    """Return a number without decimals, or a dash."""
    return "-" if value is None or math.isnan(value) else f"{value:.0f}"
