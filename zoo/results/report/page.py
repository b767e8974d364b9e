"""The page: what runs hold, put into `assets/page.html` with styles and script inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from zoo import __version__
from zoo.data.splits import TEST_SPLITS
from zoo.results.aggregate import Entry, Scores
from zoo.results.leaderboard import Leaderboard, leaderboards
from zoo.results.markdown import (
    detail_tables,
    means_table,
    own_images_table,
    published_tables,
)
from zoo.results.report.bars import Bar, object_bars
from zoo.results.report.dumbbells import Pair, drops
from zoo.results.report.pictures import panels
from zoo.results.report.runs import RunShown, read_run, short_split
from zoo.results.report.scatter import Point, pareto_chart
from zoo.results.rows import OnError, failed_runs, finished_runs, read_rows
from zoo.utils.markdown import Table

COLOURS = 8  # in `assets/style.css`; more recipes begin anew, and names stand beside all


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading."""

    heading: str
    drawing: str


@dataclass(frozen=True)
class DataSet:
    """All that is shown of the recipes that were run on the same images."""

    name: str
    means: Table
    legend: list[tuple[str, int]]
    charts: list[Chart]
    more: list[Table]


def page(
    sources: Sequence[Path], title: str, most_cases: int, on_error: OnError | None = None
) -> str:
    """Return the report as HTML.

    Args:
        sources: Run folders, or CSV files made from them, which have tables and charts only.
        title: Heading of the page.
        most_cases: How many cases of each run are shown at most.
        on_error: As in `read_rows`.

    Raises:
        ZooError: There is no finished run.
    """
    rows = read_rows(sources, on_error)
    in_layout = rows["split"].isin(TEST_SPLITS)
    sound = finished_runs(sources, on_error and (lambda error: None))  # it was told already
    shown = [read_run(folder, most_cases) for folder in sound]
    context: dict[str, Any] = {"title": title, "version": __version__, "runs": shown}
    context["made"] = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    context["facts"] = _facts(rows, shown)
    context["failed"] = failed_runs(sources)
    context["own"] = own_images_table(rows[~in_layout]) if not in_layout.all() else None
    context["data_sets"], context["published"] = [], []
    if in_layout.any():
        mine, theirs = leaderboards(rows[in_layout])
        context["data_sets"] = [_data_set(board) for board in mine]
        context["published"] = list(published_tables(mine, theirs))
    return _template().render(context)


def _template() -> jinja2.Template:
    assets = files("zoo.results.report") / "assets"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"bold": bold, "safe_svg": Markup, "panels": panels}
    environment.filters["short_split"] = short_split
    for name in ("style.css", "script.js"):
        environment.globals[name.replace(".", "_")] = Markup((assets / name).read_text("utf-8"))
    return environment.from_string((assets / "page.html").read_text("utf-8"))


def bold(text: str) -> Markup:
    """Return a text with what stands between `**` in bold; lines may break after a slash.

    Example:
        >>> bold("**a/b** < c")
        Markup('<strong>a/<wbr>b</strong> &lt; c')
    """
    escaped = str(escape(text)).replace("/", "/<wbr>")
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped))


def _facts(rows: pd.DataFrame, shown: list[RunShown]) -> list[str]:
    """Return what the report is made of, in a few words each."""
    counts = {"recipe": rows["recipe"], "object": rows["object"], "seed": rows["seed"]}
    said = [f"{len(shown)} run{'s' * (len(shown) != 1)}"] if shown else []
    for word, column in counts.items():
        count = len(set(column))
        said.append(f"{count} {word}{'s' * (count != 1)}")
    return said


def _data_set(board: Leaderboard) -> DataSet:
    names = [standing.name for _, _, standing in board.ranked()]
    colours = {name: index % COLOURS for index, name in enumerate(names)}
    charts = [*_bars(board, colours), *_drops(board, colours), *_pareto(board, colours)]
    name = f"{board.data_set} ({board.splits})"
    return DataSet(
        name, means_table(board), list(colours.items()), charts, list(detail_tables(board))
    )


def _bars(board: Leaderboard, colours: dict[str, int]) -> Iterator[Chart]:
    """Yield the bars of every split, of what is known of each object."""
    for split in TEST_SPLITS:
        scores = {name: _standing(board, name).scores(split) for name in colours}
        if not any(each.by_object for each in scores.values()):
            continue
        groups = {
            name: [
                _bar(recipe, colours[recipe], each, name)
                for recipe, each in scores.items()
                if name in each.by_object
            ]
            for name in board.objects
        }
        heading = f"SegF1 of every object, {short_split(split)}"
        yield Chart(heading, object_bars(heading, groups))


def _bar(recipe: str, colour: int, scores: Scores, name: str) -> Bar:
    seeds = scores.by_seed[name].values()
    return Bar(recipe, colour, scores.by_object[name], min(seeds), max(seeds), len(seeds))


def _drops(board: Leaderboard, colours: dict[str, int]) -> Iterator[Chart]:
    pairs = [
        Pair(name, colour, *_standing(board, name).means)
        for name, colour in colours.items()
        if None not in _standing(board, name).means
    ]
    if pairs:
        heading = "From private to private_mixed"
        yield Chart(heading, drops(heading, pairs))


def _pareto(board: Leaderboard, colours: dict[str, int]) -> Iterator[Chart]:
    """Yield SegF1 against latency and against memory, among rows that compare."""
    split, fronts = board.accuracy_split, board.fronts()
    costs = (("ms per image", "latency_ms"), ("MB peak memory", "peak_mb"))
    for index, (label, attribute) in enumerate(costs):
        points = []
        for name, colour in colours.items():
            standing = _standing(board, name)
            cost, segf1 = getattr(standing.cost, attribute), standing.mean(split)
            if cost is not None and segf1 is not None:
                spread = standing.scores(split).std
                points.append(Point(name, colour, cost, segf1, spread, fronts[name][index]))
        if points:
            heading = f"SegF1 against {'latency' if index == 0 else 'memory'}"
            yield Chart(heading, pareto_chart(heading, points, label, short_split(split)))


def _standing(board: Leaderboard, name: str) -> Entry:
    return next(each for each in board.entries if each.name == name)
