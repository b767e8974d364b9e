"""Results as tables: our rows, summarised per recipe, beside the published rows of VAND.

Never imports torch. `rows_of` reads runs; `tables` gives what people read, `render` prints it
(markdown), every row (CSV, JSON) or the ranked boards (CSV, JSON). Runs on other splits than those
of MVTec AD 2, such as those on your own pictures, have a table of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd

from zoo.data.splits import TEST_SPLITS
from zoo.results.aggregate import standings
from zoo.results.leaderboard import boards
from zoo.results.means import means_table
from zoo.results.rows import COST, EXPECTED, KEY, METRICS, rows_of
from zoo.results.tables import details, published_tables
from zoo.utils.markdown import Table, csv_text, percent, whole

__all__ = ["image_table", "render", "rows_of", "standings", "tables"]


def render(
    rows: pd.DataFrame, form: str = "md", ranked: bool = False, means_only: bool = False
) -> str:
    """Return rows as text.

    Args:
        rows: From `rows_of`.
        form: `md` are the tables; `csv` and `json` every row, rounded to six digits in CSV, which
            is finer than any of them is certain.
        ranked: In CSV and JSON, the boards with ranks, Pareto fronts and published rows instead of
            every row.
        means_only: In markdown, leave out the tables per object and those beside the ranking.
    """
    if form == "md":
        return "\n\n".join(table.markdown() for table in tables(rows, means_only))
    frame = rows
    if ranked:
        frame = pd.DataFrame([row for board in boards(rows) for row in board.records()])
    if form == "csv":
        return csv_text(frame).rstrip("\n")
    return json.dumps(json.loads(frame.to_json(orient="records")), indent=2)


def tables(rows: pd.DataFrame, means_only: bool = False) -> Iterator[Table]:
    """Yield our tables, data set by data set, then the published rows; arguments as `render`."""
    in_layout = rows["split"].isin(TEST_SPLITS)
    if in_layout.any():
        yield from _in_layout(rows[in_layout], means_only)
    if not in_layout.all():
        yield image_table(rows[~in_layout])


def _in_layout(rows: pd.DataFrame, means_only: bool) -> Iterator[Table]:
    *mine, theirs = boards(rows)
    for board in mine:
        yield means_table(board)
        if not means_only:
            yield from details(board)
    yield from published_tables(mine, theirs, means_only)


def image_table(rows: pd.DataFrame) -> Table:
    """Return what image labels tell, and masks where there are any, one line per run and split."""
    before = (
        "Found: bad images with a blob. False alarms: good images with one; to expect: per 1,000 "
        "good images, from those held out for the threshold."
    )
    head = ["recipe", "object", "seed", "split", "good", "bad", "found", "false alarms"]
    head += ["to expect", "image AUROC", "SegF1", "seconds", "ms", "peak MB"]
    lines = []
    columns = [*KEY, *METRICS, *COST, EXPECTED]
    for row in rows.reindex(columns=columns).to_dict("records"):  # older CSV files lack some
        counts = [row["n_good"], row["n_images"] - row["n_good"]]
        rates = [row["detection_rate"], row["false_alarm_rate"]]
        scores = [row["image_auroc"], row["segf1"]]
        split = "-" if pd.isna(row["split"]) else row["split"]
        cells = [row["recipe"], row["object"], str(row["seed"]), split]
        cells += [*map(whole, counts), *map(percent, rates), whole(row[EXPECTED])]
        cells += [*map(percent, scores)]
        lines.append(cells + [whole(row[name]) for name in ("total_s", "p50_ms", "peak_rss_mb")])
    return Table("Runs on own pictures", head, lines, 4, before)
