"""The page: what runs hold, put into `assets/page.html` with styles and script inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from zoo.results.aggregate import short_split
from zoo.results.leaderboard import Leaderboard, leaderboards
from zoo.results.markdown import (
    detail_tables,
    means_table,
    own_images_table,
    published_tables,
)
from zoo.results.report.charts import COSTS, drops, object_bars, pareto_chart
from zoo.results.report.run import RunShown, read_run
from zoo.results.rows import OnError, failed_runs, finished_runs, read_rows
from zoo.results.style import COLOURS
from zoo.utils.markdown import Table


@dataclass(frozen=True)
class DataSet:
    """All that is shown of the recipes that were run on the same images."""

    name: str
    means: Table
    legend: list[tuple[str, int]]
    charts: dict[str, str]  # SVG by heading
    more: list[Table]


def page(
    sources: Sequence[Path], title: str, max_cases: int, on_error: OnError | None = None
) -> str:
    """Return the report as HTML.

    Args:
        sources: Run folders, or CSV files made from them, which have tables and charts only.
        title: Heading of the page.
        max_cases: How many cases of each run are shown at most.
        on_error: As in `read_rows`.

    Raises:
        ZooError: There is no finished run.
    """
    rows = read_rows(sources, on_error)
    in_layout = rows["split"].isin(TEST_SPLITS)
    sound = finished_runs(sources, on_error and (lambda error: None))  # reported above
    shown = [read_run(folder, max_cases) for folder in sound]
    context: dict[str, Any] = {"title": title, "version": __version__, "runs": shown}
    context["made"] = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    context["facts"] = _facts(rows, shown)
    context["failed"] = failed_runs(sources)
    context["own"] = own_images_table(rows[~in_layout]) if not in_layout.all() else None
    context["data_sets"], context["published"] = [], []
    if in_layout.any():
        ours, theirs = leaderboards(rows[in_layout])
        context["data_sets"] = [_data_set(board) for board in ours]
        context["published"] = list(published_tables(ours, theirs))
    return _template().render(context)


def _template() -> jinja2.Template:
    assets = files("zoo.results.report") / "assets"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"bold": bold, "safe_svg": Markup, "short_split": short_split}
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


def _facts(rows: pd.DataFrame, runs: list[RunShown]) -> list[str]:
    """Return what the report is made of, in a few words each."""
    counts = {"run": len(runs)} if runs else {}
    counts |= {name: rows[name].nunique() for name in ("recipe", "object", "seed")}
    return [f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items()]


def _data_set(board: Leaderboard) -> DataSet:
    names = [entry.name for _, _, entry in board.ranked()]
    legend = [(name, place % len(COLOURS)) for place, name in enumerate(names)]
    titles = {split: f"SegF1 of every object, {short_split(split)}" for split in TEST_SPLITS}
    charts = {title: object_bars(title, board, split) for split, title in titles.items()}
    title = "From private to private_mixed"
    charts[title] = drops(title, board)
    for cost, what in zip(COSTS, ("latency", "memory"), strict=True):
        title = f"SegF1 against {what}"
        charts[title] = pareto_chart(title, board, cost)
    drawn = {title: chart for title, chart in charts.items() if chart}
    name = f"{board.data_set} ({board.splits})"
    return DataSet(name, means_table(board), legend, drawn, list(detail_tables(board)))
