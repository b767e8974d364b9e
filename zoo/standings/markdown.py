"""Boards as markdown: means with ranks and drops, one table per split and object, AU-PRO by limit.

A column holds one quantity of one split: never public beside private, never the oracle beside
SegF1, never one limit of AU-PRO beside the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from zoo.data.layout import PRIVATE_SPLITS, TEST_SPLITS
from zoo.standings.board import SERVER, Board, Standing
from zoo.standings.published import Published, published
from zoo.standings.ranks import drop, mean_of

_LIMITS = {"au_pro_005": "AU-PRO_0.05", "au_pro_030": "AU-PRO_0.30"}
_BESIDE = {"oracle_segf1": "oracle SegF1", **_LIMITS}
_SECOND_HAND = "†"


def percent(value: float | None) -> str:
    """Return a fraction as people read it, or a dash.

    Example:
        >>> percent(0.5381), percent(None)
        ('53.8 %', '-')
    """
    return "-" if value is None or pd.isna(value) else f"{100 * value:.1f} %"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], n_texts: int = 1) -> str:
    """Return a markdown table whose first columns are texts and the others numbers."""
    rule = ["---"] * n_texts + ["---:"] * (len(head) - n_texts)
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def published_means(board: Board) -> str:
    """Return the board of the published rows: ranks, means and drops, each with its source."""
    notes = _Notes()
    lines = []
    for _, rank, standing in board.ranked():
        private, mixed = standing.means
        name = f"**{standing.name}**" if standing.is_ours else standing.name
        source = "this zoo, server" if standing.is_ours else notes.mark(standing.sources)
        cells = [percent(private), percent(mixed), percent(drop(private, mixed))]
        lines.append([name, source, *cells, "-" if rank is None else f"{rank:g}"])
    head = ["method", "source", "private", "private_mixed", "drop", "R_final"]
    return f"{grid(head, lines, 2)}\n\n{notes.text()}"


def by_object(board: Board) -> Iterator[str]:
    """Yield one table per split: SegF1 of every object, and the mean."""
    for split in TEST_SPLITS:
        standings = [each for _, _, each in board.ranked() if _is_known(each, split)]
        if not standings:
            continue
        lines = []
        for standing in standings:
            values = standing.segf1[split]
            name = f"**{standing.name}**" if standing.is_ours else standing.name
            cells = [percent(values.get(each)) for each in board.objects]
            lines.append([name, *cells, percent(standing.mean(split))])
        short = split.removeprefix("test_")
        head = [f"SegF1 {short}", *board.objects, "mean"]
        yield grid(head, lines)


def beside(rows: pd.DataFrame) -> str | None:
    """Return what is measured beside the ranking, means over objects; None where nothing is."""
    table = {}
    for name, label in _BESIDE.items():
        if name not in rows:
            continue
        for split in TEST_SPLITS:
            part = rows[(rows["split"] == split)]
            means = part.groupby("recipe")[name].apply(lambda v: v.mean(skipna=False))
            if means.notna().any():
                table[f"{label} {split.removeprefix('test_')}"] = means
    if not table:
        return None
    lines = [
        [recipe, *(percent(means.get(recipe)) for means in table.values())]
        for recipe in dict.fromkeys(rows["recipe"])
    ]
    return grid(["recipe", *table], lines)


def published_au_pro(rows: pd.DataFrame) -> Iterator[str]:
    """Yield one table per limit of AU-PRO: ours that the server scored, and published ones."""
    for column, metric in _LIMITS.items():
        notes = _Notes()
        lines = [_au_pro_of_ours(recipe, part, column) for recipe, part in _scored(rows, column)]
        for entry in published(metric):
            means = [percent(mean_of(entry.scores[split])) for split in PRIVATE_SPLITS]
            lines.append([_name(entry), notes.mark(entry.sources), *means])
        head = [metric, "source", "private", "private_mixed"]
        yield f"{grid(head, lines, 2)}\n\n{notes.text()}"


def _scored(rows: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    scored = rows[rows["scored_by"] == SERVER]
    if column in scored and scored[column].notna().any():
        yield from scored.groupby("recipe", sort=False)


def _au_pro_of_ours(recipe: str, part: pd.DataFrame, column: str) -> list[str]:
    means = [
        part.loc[part["split"] == split, column].mean(skipna=False) for split in PRIVATE_SPLITS
    ]
    return [f"**{recipe}**", "this zoo, server", *map(percent, means)]


def _name(entry: Published) -> str:
    return f"{entry.method} {_SECOND_HAND}" if entry.second_hand else entry.method


def _is_known(standing: Standing, split: str) -> bool:
    return bool(set(standing.segf1.get(split, {})) - {"mean"})


class _Notes:
    """Numbers the sources in the order in which they are named."""

    def __init__(self) -> None:
        self._sources: dict[str, int] = {}

    def mark(self, sources: Sequence[str]) -> str:
        """Return the numbers of some sources, such as `[1, 3]`."""
        numbers = [self._sources.setdefault(each, len(self._sources) + 1) for each in sources]
        return f"[{', '.join(map(str, numbers))}]"

    def text(self) -> str:
        """Return the list of all sources that were marked."""
        listed = [f"[{number}] {source}" for source, number in self._sources.items()]
        return f"Sources: {'; '.join(listed)}."
