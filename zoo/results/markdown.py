"""The tables that people read: leaderboards, SegF1 by object, published rows, runs on own images.

A column holds one quantity of one split: never public beside private, never the oracle beside
SegF1, never one limit of AU-PRO beside the other. Where entries of ours stand, their cost stands
too. Runs on other splits than those of MVTec AD 2 have a table of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.methods.admissibility import NO
from zoo.methods.registry import methods
from zoo.recipes.files import DEMO, PAPER_RECIPE
from zoo.results.aggregate import Entry, entries, short_split, undefined_text
from zoo.results.leaderboard import Leaderboard, drop, leaderboards
from zoo.results.published import DATA_SET, published
from zoo.results.rows import EXPECTED
from zoo.utils.markdown import Table, grid, percent, whole

_LIMITS = {"au_pro_005": "AU-PRO_0.05", "au_pro_030": "AU-PRO_0.30"}
_BESIDE = {"oracle_segf1": "oracle SegF1", **_LIMITS}
_HEAD: tuple[str, ...] = (
    "recipe",
    "method",
    "VAND 4",
    "objects",
    "seeds",
    "public",
    "private",
    "private_mixed",
)
_HEAD += ("drop", "R_final", "seconds", "ms", "peak MB", "Pareto")
_NOT_BY_OBJECT = ("recipe", "method", "VAND 4", "objects", "R_final", "Pareto")
_COST = ("ms", "peak MB")
_SECOND_HAND = "†"
_BESIDE_NOTE = (
    "Beside the ranking, means over objects. The oracle is the best single threshold on raw "
    "scores, labels in hand: never a result. A rule that takes each image's background off can "
    "exceed it."
)


def tables(rows: pd.DataFrame, means_only: bool = False) -> Iterator[Table]:
    """Yield our tables, data set by data set, then the published ones; arguments as `render`."""
    in_layout = rows["split"].isin(TEST_SPLITS)
    if in_layout.any():
        ours, theirs = leaderboards(rows[in_layout])
        for board in ours:
            yield means_table(board)
            yield from () if means_only else detail_tables(board)
        yield from published_tables(ours, theirs, means_only)
    if not in_layout.all():
        yield own_images_table(rows[~in_layout])


def means_table(board: Leaderboard) -> Table:
    """Return our entries of one data set, ranked, with notes on what they are."""
    fronts, ranked = board.fronts(), list(board.ranked())
    is_ranking = sum(place is not None for place, _, _ in ranked) > 1
    lines = []
    for _, rank, entry in ranked:
        on = [name for name, is_on in zip(("ms", "MB"), fronts[entry.name], strict=True) if is_on]
        lines.append([*_cells(entry, rank if is_ranking else None), ", ".join(on) or "-"])
    where = f"{board.data_set}: " if board.data_set == DATA_SET else ""
    names = ", ".join(board.objects)
    before = (
        "SegF1 at native resolution, one fixed mask per image, mean over objects "
        f"({where}{names}; {board.splits}).\n"
        "Drop: relative loss from private to private_mixed. R_final: mean of the ranks in both, "
        "among these rows.\nSeconds: fit, calibration and all splits of one object. ms: one image, "
        f"median. Pareto: no other row has more SegF1 {short_split(board.accuracy_split)} for less "
        "ms, or for less MB."
    )
    if len(board.machines) > 1:
        before += f"\nms of several machines do not compare: {'; '.join(sorted(board.machines))}."
    title = f"Means over {names}; {board.splits}"
    return Table(title, _HEAD, lines, 3, before, "\n\n".join(_notes(board.entries)))


def _cells(entry: Entry, rank: float | None = None) -> list[str]:
    """Return the cells of `_HEAD`, without Pareto."""
    cells = [entry.name, entry.method, entry.admissible.partition(":")[0]]
    cells += [str(len(entry.objects)), _seeds(entry)]
    cells += [_mean_cell(entry, split) for split in TEST_SPLITS]
    cells += [percent(drop(*entry.means)), "-" if rank is None else f"{rank:g}"]
    return [*cells, whole(entry.cost.seconds), *_cost_cells(entry)]


def _seeds(entry: Entry) -> str:
    """Return how many seeds an object has, such as `3`, or `1-3` where they differ."""
    return "-".join(map(str, dict.fromkeys(entry.n_seeds)))


def _mean_cell(entry: Entry, split: str) -> str:
    """Return the mean with its deviation, or who knows it, or how many objects are known."""
    scores = entry.scores(split)
    if scores.mean is None:
        if scores.missing and scores.by_object:
            return scores.count
        return "server" if split in PRIVATE_SPLITS and scores.missing else "-"
    return percent(scores.mean) + ("" if scores.std is None else f" ± {100 * scores.std:.1f}")


def _cost_cells(entry: Entry) -> list[str]:
    return [whole(entry.cost.latency_ms), whole(entry.cost.peak_mb)]


def _notes(ours: Sequence[Entry]) -> Iterator[str]:
    if any(entry.recipe.endswith(DEMO) for entry in ours):
        yield "Recipes named demo: small or under-trained on purpose, no comparison of methods."
    if left_out := undefined_text(ours):
        yield f"Left out of means, because no pixel is marked and none is to be: {left_out}."
    apart = [f"- {entry.name}: {_runs_text(entry)}" for entry in ours if entry.name != entry.recipe]
    if apart:
        yield "Runs of one recipe with other settings stand apart:\n\n" + "\n".join(apart)
    answers = {entry.name: entry.admissible for entry in ours}
    refused = [f"- {n}: {why[len(NO) :]}" for n, why in answers.items() if why.startswith(NO)]
    if refused:
        yield "Not admitted by VAND 4, because\n\n" + "\n".join(refused)
    mimics = {entry.method: None for entry in ours if entry.recipe.endswith(PAPER_RECIPE)}
    known = methods() if mimics else {}
    cards = {name: known[name].card for name in mimics if name in known}
    assumed = [f"- {name}: {text}" for name, card in cards.items() if card for text in card.assumed]
    if assumed:
        yield "\n".join(["Assumed where the papers are silent:", "", *assumed])


def _runs_text(entry: Entry) -> str:
    """Return which runs an entry holds, and the command of the first."""
    runs = entry.rows.drop_duplicates(["object", "seed"])
    names = [f"{run.object} seed {run.seed}" for run in runs.itertuples()]
    command = next(iter(runs["command"].dropna()), None)
    return ", ".join(names) + (f", by `{command}`" if command else "")


def method_table(rows: pd.DataFrame) -> str:
    """Return a markdown table of one method's rows, with a line per recipe and object."""
    kept = [index for index, name in enumerate(_HEAD) if name not in _NOT_BY_OBJECT]
    lines = []
    for entry in sorted(entries(rows), key=lambda entry: entry.name):
        for name in entry.objects:
            part = entry.only(entry.rows["object"] == name)
            cells = _cells(part) if part else []
            lines.append([f"`{entry.name}`", name, *(cells[index] for index in kept)])
    return grid(["recipe", "object", *(_HEAD[index] for index in kept)], lines, 2)


def detail_tables(board: Leaderboard) -> Iterator[Table]:
    """Yield what stands beside the means: SegF1 by object and split, the oracle, and AU-PRO."""
    yield from _by_object(board)
    columns: dict[str, list[float | None]] = {}
    for metric, label in _BESIDE.items():
        for split in TEST_SPLITS:
            means = [entry.scores(split, metric).mean for entry in board.entries]
            if any(mean is not None for mean in means):
                columns[f"{label} {short_split(split)}"] = means
    if columns:
        lines = [
            [entry.name, *(percent(means[row]) for means in columns.values()), *_cost_cells(entry)]
            for row, entry in enumerate(board.entries)
        ]
        head = ["recipe", *columns, *_COST]
        yield Table("Beside the ranking", head, lines, before=_BESIDE_NOTE)


def _by_object(board: Leaderboard) -> Iterator[Table]:
    for split in TEST_SPLITS:
        ranked = [entry for _, _, entry in board.ranked() if entry.scores(split).by_object]
        lines = []
        for entry in ranked:
            scores = entry.scores(split)
            cells = [percent(scores.by_object.get(name)) for name in board.objects]
            cells.append(scores.count if scores.missing else percent(scores.mean))
            lines.append([_bold_ours(entry), *cells, *_cost_cells(entry)])
        if lines:
            name = f"SegF1 {short_split(split)}"
            yield _with_cost(f"{name}, by object", [name, *board.objects, "mean"], lines, board, 1)


def published_tables(
    ours: Sequence[Leaderboard], theirs: Leaderboard, means_only: bool = False
) -> Iterator[Table]:
    """Yield the published rows; more than means only where somebody here ran their data set."""
    yield _published_means(theirs)
    if not means_only and any(board.data_set == DATA_SET for board in ours):
        yield from _by_object(theirs)
        for metric, label in _LIMITS.items():
            yield _published_au_pro(theirs, metric, label)


def _published_means(board: Leaderboard) -> Table:
    sources = _Sources()
    lines = []
    for _, rank, entry in board.ranked():
        cells = [*map(percent, entry.means), percent(drop(*entry.means))]
        cells.append("-" if rank is None else f"{rank:g}")
        lines.append([_bold_ours(entry), sources.of(entry), *cells, *_cost_cells(entry)])
    before = f"Published on **{DATA_SET}**, SegF1 of its server; R_final among the rows of this "
    before += "table.\n"
    before += (
        "Rows of this zoo are in bold."
        if board.has_ours
        else "Another data set: not comparable with the rows above."
    )
    if board.in_part:
        names = ", ".join(f"{name} ({count})" for name, count in board.in_part)
        before += f"\nNot among them, scored by the server in part: {names}."
    head = ["method", "source", "private", "private_mixed", "drop", "R_final"]
    return _with_cost(f"Published on {DATA_SET}", head, lines, board, 2, before, sources.text())


def _published_au_pro(board: Leaderboard, metric: str, label: str) -> Table:
    """Return one limit of AU-PRO: ours that the server scored, and published ones."""
    sources = _Sources()
    lines = []
    ours = [entry for entry in board.entries if entry.is_ours]
    for entry in ours:
        means = [entry.scores(split, metric).mean for split in PRIVATE_SPLITS]
        if any(mean is not None for mean in means):
            cells = [*map(percent, means), *_cost_cells(entry)]
            lines.append([_bold_ours(entry), sources.of(entry), *cells])
    has_ours = bool(lines)
    for entry in published(label):
        name = f"{entry.name} {_SECOND_HAND}" if entry.is_second_hand else entry.name
        lines.append([name, sources.of(entry), *map(percent, entry.means), *_cost_cells(entry)])
    before = "AU-PRO, not ranked. † is second-hand: a transcription by others."
    shown = Leaderboard(board.data_set, board.objects, ours if has_ours else [])
    head = [label, "source", "private", "private_mixed"]
    title = f"{label}, published on {DATA_SET}"
    first = metric == next(iter(_LIMITS))
    return _with_cost(title, head, lines, shown, 2, before if first else "", sources.text())


def _with_cost(
    title: str,
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    board: Leaderboard,
    n_texts: int,
    before: str = "",
    after: str = "",
) -> Table:
    """Return a table whose last two columns, the cost, are left out where no entry is ours."""
    if board.has_ours:
        head = [*head, *_COST]
    return Table(title, head, [line[: len(head)] for line in lines], n_texts, before, after)


def own_images_table(rows: pd.DataFrame) -> Table:
    """Return one line per run and split of own images: what image labels show, and masks."""
    before = (
        "Found: anomalous images with a blob. False alarms: normal images with one; to expect: per "
        "1,000 normal images, from those held out for the threshold."
    )
    head = ["recipe", "object", "seed", "split", "normal", "anomalous", "found", "false alarms"]
    head += ["to expect", "image AUROC", "SegF1", "seconds", "ms", "peak MB"]
    lines = []
    for row in rows.to_dict("records"):
        split = "-" if pd.isna(row["split"]) else row["split"]
        cells = [row["recipe"], row["object"], str(row["seed"]), split]
        cells += map(whole, [row["n_good"], row["n_images"] - row["n_good"]])
        cells += [percent(row["detection_rate"]), percent(row["false_alarm_rate"])]
        cells += [whole(row[EXPECTED]), percent(row["image_auroc"]), percent(row["segf1"])]
        lines.append(cells + [whole(row[name]) for name in ("total_s", "p50_ms", "peak_rss_mb")])
    return Table("Runs on own images", head, lines, 4, before)


def _bold_ours(entry: Entry) -> str:
    return f"**{entry.name}**" if entry.is_ours else entry.name


class _Sources:
    """Numbers the sources in the order in which they are cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, entry: Entry) -> str:
        """Return the numbers of an entry's sources, such as `[1, 3]`."""
        if entry.is_ours:
            return "this zoo, server"
        numbers = [self._numbers.setdefault(s, len(self._numbers) + 1) for s in entry.sources]
        return f"[{', '.join(map(str, numbers))}]"

    def text(self) -> str:
        """Return the list of all sources that were cited."""
        cited = [f"[{number}] {source}" for source, number in self._numbers.items()]
        return f"Sources: {'; '.join(cited)}."
