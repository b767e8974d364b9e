"""A table as plain texts, and as markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        parts = [self.before, grid(self.head, self.rows, self.n_texts), self.after]
        return "\n\n".join(part for part in parts if part)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], n_texts: int = 1) -> str:
    """Return a markdown table whose first columns are texts and the others numbers."""
    rule = ["---"] * n_texts + ["---:"] * (len(head) - n_texts)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def percent(value: float | None) -> str:
    """Return a fraction as people read it, or a dash.

    Example:
        >>> percent(0.5381), percent(None)
        ('53.8 %', '-')
    """
    return "-" if value is None or pd.isna(value) else f"{100 * value:.1f} %"


def whole(value: float | None) -> str:
    """Return a number without decimals, or a dash."""
    return "-" if value is None or pd.isna(value) else f"{value:.0f}"
