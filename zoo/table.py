"""Results as tables: our rows, summarised per recipe, beside the published rows of VAND.

Never imports torch. `rows_of` reads runs; `render` prints tables (markdown), every row (CSV, JSON)
or the ranked boards (CSV, JSON). Runs on other splits than those of MVTec AD 2, such as those on
your own pictures, have a table of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from zoo.data.layout import PRIVATE_SPLITS, TEST_SPLITS
from zoo.registry import methods
from zoo.reproduction.rows import PAPER_RECIPE
from zoo.standings.board import SERVER, Board, boards
from zoo.standings.markdown import (
    beside,
    by_object,
    grid,
    percent,
    published_au_pro,
    published_means,
)
from zoo.standings.published import DATA_SET
from zoo.standings.ranks import drop, places, r_final
from zoo.standings.rows import COST, EXPECTED, KEY, METRICS, rows_of
from zoo.vand4 import NO, YES

__all__ = ["render", "rows_of", "summary"]

PUBLISHED_NOTE = (
    f"Published on **{DATA_SET}**, SegF1 of its server; R_final among the rows of this table.\n"
)
OTHER_DATA = "Another data set: not comparable with the rows above."
BESIDE_NOTE = "Beside the ranking, means over objects; the oracle knows the labels: a bound."


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Average SegF1 over objects, per recipe and split, with the drop under mixed light and cost.

    Seeds are averaged within an object first; the spread is the standard deviation of the object
    means over seeds. Where the server scored one seed, that one counts.
    """
    found = []
    for (recipe, method), group in rows.groupby(["recipe", "method"], sort=False):
        entry: dict[str, object] = {
            "recipe": recipe,
            "method": method,
            "vand4": _vand4(group),
            "objects": group["object"].nunique(),
            "seeds": group["seed"].nunique(),
        }
        for split in TEST_SPLITS:
            part = group[group["split"] == split]
            if (part["scored_by"] == SERVER).any():
                part = part[part["scored_by"] == SERVER]
            by_seed = part.groupby("seed")["segf1"].mean()
            complete = len(part) > 0 and part["segf1"].notna().all()
            entry[split] = by_seed.mean() if complete else None
            entry[f"{split}_spread"] = by_seed.std(ddof=0) if complete else None
            entry[f"{split}_images"] = len(part)
        entry["drop"] = drop(entry["test_private"], entry["test_private_mixed"])
        runs = group.drop_duplicates(["object", "seed"])
        entry["seconds"] = runs["total_s"].mean()
        entry["p50_ms"] = runs["p50_ms"].mean()
        entry["peak_rss_mb"] = runs["peak_rss_mb"].max()
        found.append(entry)
    table = pd.DataFrame(found)
    means = [tuple(row) for row in table[list(PRIVATE_SPLITS)].to_numpy(dtype=object)]
    table["r_final"] = pd.Series(r_final(means), dtype=float)
    table["place"] = pd.Series(places(means), dtype=float)
    return table


def render(
    rows: pd.DataFrame, form: str = "md", ranked: bool = False, means_only: bool = False
) -> str:
    """Return rows as text.

    Args:
        rows: From `rows_of`.
        form: `md` are the tables; `csv` and `json` every row, rounded to six digits in CSV, which
            is finer than any of them is certain.
        ranked: In CSV and JSON, the boards with ranks and published rows instead of every row.
        means_only: In markdown, leave out the tables per object and those beside the ranking.
    """
    if form != "md":
        frame = rows
        if ranked:
            frame = pd.DataFrame([row for board in boards(rows) for row in board.records()])
        if form == "csv":
            return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n").rstrip("\n")
        return json.dumps(json.loads(frame.to_json(orient="records")), indent=2)
    in_layout = rows["split"].isin(TEST_SPLITS)
    parts = []
    if in_layout.any():
        parts += _tables(rows[in_layout], means_only)
    if not in_layout.all():
        parts.append(_image_table(rows[~in_layout]))
    return "\n\n".join(parts)


def _tables(rows: pd.DataFrame, means_only: bool) -> Iterator[str]:
    """Yield our tables, data set by data set, then those of the published rows."""
    *mine, theirs = boards(rows)
    for board in mine:
        part = rows[rows["recipe"].isin([standing.name for standing in board.standings])]
        yield _markdown(summary(part), board)
        if not means_only:
            yield from by_object(board)
            if diagnostics := beside(part):
                yield f"{BESIDE_NOTE}\n\n{diagnostics}"
    if assumed := _assumed(rows):
        yield assumed
    scored = any(standing.is_ours for standing in theirs.standings)
    note = "Rows of this zoo are in bold." if scored else OTHER_DATA
    yield f"{PUBLISHED_NOTE}{note}\n\n{published_means(theirs)}"
    if not means_only and any(board.data_set == DATA_SET for board in mine):
        yield from by_object(theirs)
        yield "AU-PRO, not ranked. † is second-hand: a transcription by others."
        yield from published_au_pro(rows)


def _markdown(table: pd.DataFrame, board: Board) -> str:
    """Return the means of one data set, ranked among its rows, and who is not admitted and why."""
    table = table.sort_values("place", kind="stable")
    where = f"{board.data_set}: " if board.data_set == DATA_SET else ""
    head = ["recipe", "method", "VAND 4", "objects", "seeds", "public", "private", "private_mixed"]
    head += ["drop", "R_final", "seconds", "ms", "peak MB"]
    is_ranking = table["place"].notna().sum() > 1
    entries = table.to_dict("records")
    text = (
        "SegF1 at native resolution, one fixed mask per image, mean over objects "
        f"({where}{', '.join(board.objects)}).\n"
        "Drop: relative loss from private to private_mixed. R_final: mean of the ranks in both, "
        "among these rows.\nSeconds: fit, calibration and all splits of one object. ms: one image, "
        f"median.\n\n{grid(head, [_cells(entry, is_ranking) for entry in entries], 3)}"
    )
    refused = [entry for entry in entries if entry["vand4"].startswith(NO)]
    if refused:
        said = "\n".join(f"- {each['recipe']}: {each['vand4'][len(NO) :]}" for each in refused)
        text += f"\n\nNot admitted by VAND 4, because\n\n{said}"
    return text


def _cells(entry: dict[str, Any], is_ranking: bool) -> list[str]:
    """Return one recipe of the summary as texts."""
    cells = [entry["recipe"], entry["method"], entry["vand4"].partition(":")[0]]
    cells += [str(entry["objects"]), str(entry["seeds"])]
    for split in TEST_SPLITS:
        unknown = "server" if entry[f"{split}_images"] and split in PRIVATE_SPLITS else "-"
        spread = entry[f"{split}_spread"] if entry["seeds"] > 1 else None
        cells.append(unknown if pd.isna(entry[split]) else _score(entry[split], spread))
    rank = f"{entry['r_final']:g}" if is_ranking and not pd.isna(entry["place"]) else "-"
    cost = [_count(entry[name]) for name in ("seconds", "p50_ms", "peak_rss_mb")]
    return [*cells, percent(entry["drop"]), rank, *cost]


def _vand4(group: pd.DataFrame) -> str:
    """Return the verdict of a recipe's runs: yes if all say so, the first no, or a dash."""
    said = group["vand4_admissible"].dropna().astype(str)
    refused = [each for each in said if each.startswith(NO)]
    if refused:
        return refused[0]
    return YES if len(said) == len(group) else "-"


def _assumed(rows: pd.DataFrame) -> str:
    """Return what the cards assume where recipes mimic a paper that leaves something open."""
    mimics = rows[rows["recipe"].astype(str).str.endswith(PAPER_RECIPE)]
    known = methods() if len(mimics) else {}
    items = [
        f"- {name}: {each}"
        for name in dict.fromkeys(mimics["method"])
        if name in known and known[name].card
        for each in known[name].card.assumed
    ]
    return "\n".join(["Assumed where the papers are silent:", "", *items]) if items else ""


def _image_table(rows: pd.DataFrame) -> str:
    """Return what image labels tell, and masks where there are any, one line per run and split."""
    lines = [
        "Found: bad images with a blob. False alarms: good images with one; to expect: per 1,000 "
        "good images, from those held out for the threshold.",
        "",
        "| recipe | object | seed | split | good | bad | found | false alarms | to expect "
        "| image AUROC | SegF1 | seconds | ms |",
        "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    columns = [*KEY, *METRICS, *COST, EXPECTED]
    for row in rows.reindex(columns=columns).to_dict("records"):  # older CSV files lack some
        counts = [row["n_good"], row["n_images"] - row["n_good"]]
        rates = [row["detection_rate"], row["false_alarm_rate"]]
        scores = [row["image_auroc"], row["segf1"]]
        cells = [*map(_count, counts), *map(_score, rates), _count(row[EXPECTED])]
        cells += [*map(_score, scores), _count(row["total_s"]), _count(row["p50_ms"])]
        split = "-" if pd.isna(row["split"]) else row["split"]
        head = f"| {row['recipe']} | {row['object']} | {row['seed']} | {split} "
        lines.append(f"{head}| {' | '.join(cells)} |")
    return "\n".join(lines)


def _count(value: float | None) -> str:
    return "-" if pd.isna(value) else f"{value:.0f}"


def _score(value: float | None, spread: float | None = None) -> str:
    text = percent(value)
    return text if spread is None or pd.isna(spread) else f"{text} ± {100 * spread:.1f}"
