"""Boards as tables: means with ranks and drops, one table per split and object, AU-PRO by limit.

A column holds one quantity of one split: never public beside private, never the oracle beside
SegF1, never one limit of AU-PRO beside the other. Where rows of ours stand, their cost stands too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.results.aggregate import Standing
from zoo.results.cost import Cost
from zoo.results.leaderboard import Board
from zoo.results.published import DATA_SET, Published, published
from zoo.results.ranks import drop, mean_of
from zoo.utils.markdown import Table, percent, whole

_LIMITS = {"au_pro_005": "AU-PRO_0.05", "au_pro_030": "AU-PRO_0.30"}
_BESIDE = {"oracle_segf1": "oracle SegF1", **_LIMITS}
_SECOND_HAND = "†"
_COST = ("ms", "peak MB")
_PUBLISHED_NOTE = (
    f"Published on **{DATA_SET}**, SegF1 of its server; R_final among the rows of this table.\n"
)
_OTHER_DATA = "Another data set: not comparable with the rows above."
_BESIDE_NOTE = (
    "Beside the ranking, means over objects. The oracle is the best single threshold on raw "
    "scores, labels in hand: never a result. A rule that takes each image's background off can "
    "exceed it."
)
_AU_PRO_NOTE = "AU-PRO, not ranked. † is second-hand: a transcription by others."


def details(board: Board) -> Iterator[Table]:
    """Yield what stands beside the means of one data set."""
    yield from by_object(board)
    if diagnostics := beside(board):
        yield diagnostics


def published_tables(
    mine: Sequence[Board], theirs: Board, means_only: bool = False
) -> Iterator[Table]:
    """Yield the published rows; more than means only where somebody here ran their data set."""
    yield published_means(theirs)
    if not means_only and any(board.data_set == DATA_SET for board in mine):
        yield from by_object(theirs)
        yield from published_au_pro(theirs)


def published_means(board: Board) -> Table:
    """Return the board of the published rows: ranks, means and drops, each with its source."""
    notes = _Notes()
    has_ours = any(standing.is_ours for standing in board.standings)
    lines = []
    for _, rank, standing in board.ranked():
        private, mixed = standing.means
        source = "this zoo, server" if standing.is_ours else notes.mark(standing.sources)
        cells = [percent(private), percent(mixed), percent(drop(private, mixed))]
        cells += ["-" if rank is None else f"{rank:g}", *_cost(standing.cost, has_ours)]
        lines.append([_board_name(standing), source, *cells])
    head = [
        "method",
        "source",
        "private",
        "private_mixed",
        "drop",
        "R_final",
        *_COST[: 2 * has_ours],
    ]
    note = "Rows of this zoo are in bold." if has_ours else _OTHER_DATA
    if board.in_part:
        said = ", ".join(f"{name} ({count})" for name, count in board.in_part)
        note += f"\nNot among them, scored by the server in part: {said}."
    title = f"Published on {DATA_SET}"
    return Table(title, head, lines, 2, f"{_PUBLISHED_NOTE}{note}", notes.text())


def by_object(board: Board) -> Iterator[Table]:
    """Yield one table per split: SegF1 of every object, and the mean."""
    has_ours = any(standing.is_ours for standing in board.standings)
    for split in TEST_SPLITS:
        standings = [each for _, _, each in board.ranked() if each.scores(split).by_object]
        if not standings:
            continue
        lines = []
        for standing in standings:
            scores = standing.scores(split)
            cells = [percent(scores.by_object.get(each)) for each in board.objects]
            cells += [scores.count if scores.missing else percent(scores.mean)]
            cells += _cost(standing.cost, has_ours)
            lines.append([_board_name(standing), *cells])
        short = split.removeprefix("test_")
        head = [f"SegF1 {short}", *board.objects, "mean", *_COST[: 2 * has_ours]]
        yield Table(f"SegF1 {short}, by object", head, lines)


def beside(board: Board) -> Table | None:
    """Return what is measured beside the ranking, means over objects; None where nothing is."""
    table: dict[str, list[float | None]] = {}
    for name, label in _BESIDE.items():
        for split in TEST_SPLITS:
            means = [_mean(each, split, name) for each in board.standings]
            if any(mean is not None for mean in means):
                table[f"{label} {split.removeprefix('test_')}"] = means
    if not table:
        return None
    lines = [
        [standing.name, *(percent(means[row]) for means in table.values()), *_cost(standing.cost)]
        for row, standing in enumerate(board.standings)
    ]
    head = ["recipe", *table, *_COST]
    return Table("Beside the ranking", head, lines, before=_BESIDE_NOTE)


def published_au_pro(board: Board) -> Iterator[Table]:
    """Yield one table per limit of AU-PRO: ours that the server scored, and published ones."""
    for index, (column, metric) in enumerate(_LIMITS.items()):
        notes = _Notes()
        lines = []
        for standing in board.standings:
            means = [_mean(standing, split, column) for split in PRIVATE_SPLITS]
            if standing.is_ours and any(mean is not None for mean in means):
                cells = [*map(percent, means), *_cost(standing.cost)]
                lines.append([_board_name(standing), "this zoo, server", *cells])
        has_ours = bool(lines)
        for entry in published(metric):
            means = [percent(mean_of(entry.scores[split])) for split in PRIVATE_SPLITS]
            cost = _cost(Cost(), has_ours)
            lines.append([_name(entry), notes.mark(entry.sources), *means, *cost])
        head = [metric, "source", "private", "private_mixed", *_COST[: 2 * has_ours]]
        before = "" if index else _AU_PRO_NOTE
        yield Table(f"{metric}, published on {DATA_SET}", head, lines, 2, before, notes.text())


def _mean(standing: Standing, split: str, metric: str) -> float | None:
    known = standing.is_ours and metric in standing.rows
    return standing.scores(split, metric).mean if known else None


def _cost(cost: Cost, is_wanted: bool = True) -> list[str]:
    """Return the cells of the columns `_COST`, none where the table has no such columns."""
    return [whole(cost.latency_ms), whole(cost.peak_mb)] if is_wanted else []


def _board_name(standing: Standing) -> str:
    return f"**{standing.name}**" if standing.is_ours else standing.name


def _name(entry: Published) -> str:
    return f"{entry.method} {_SECOND_HAND}" if entry.second_hand else entry.method


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
