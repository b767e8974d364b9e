"""`zoo.table`: runs as a data frame with one row per recipe; and rows as text. Without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pandas as pd

from zoo.data.splits import TEST_SPLITS
from zoo.results.aggregate import short_split, split_order
from zoo.results.leaderboard import Leaderboard, drop, leaderboards
from zoo.results.markdown import tables
from zoo.results.rows import read_rows
from zoo.utils.markdown import csv_text

_METRICS: tuple[str, ...] = (
    "segf1",
    "oracle_segf1",
    "au_pro_005",
    "au_pro_030",
    "image_auroc",
    "pixel_auroc",
)
_METRICS += ("detection_rate", "false_alarm_rate")


class HasFolder(Protocol):
    """A run, as `zoo.bench` returns it."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


Source: TypeAlias = str | os.PathLike[str] | HasFolder


def table(runs: Source | Sequence[Source], published: bool = False) -> pd.DataFrame:
    """Return one row per recipe, best first, data set by data set.

    Metrics and `segf1_drop` are fractions, means over seeds within an object, then over objects;
    missing where one object is not known. `<metric>_<split>` is a metric on a split, such as
    `segf1_private`, `au_pro_005_public` or `image_auroc_private_mixed`; `segf1_<split>_std` is the
    standard deviation (n - 1) over seeds. `rank` and `r_final` count entries that were run on the
    same images and splits. `seconds` are fit, calibration and all splits of one object;
    `latency_ms` is the median time of one image; `peak_memory_mb` is in 10**6 bytes.

    Args:
        runs: Runs, folders of runs, or CSV files of `zoo table --format csv`; one or several.
        published: Also list the published rows of MVTec AD 2, with the citation in `source`.

    Raises:
        ZooError: A source does not exist, is damaged or holds no finished run.

    Example:
        >>> from zoo.results.published import results_folder
        >>> frame = table(results_folder() / "real_photographs.csv")
        >>> frame.set_index("recipe").loc["patchcore/embedded", "segf1_private"].round(3).item()
        0.486
    """
    sources = runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]
    paths = [
        Path(source if isinstance(source, str | os.PathLike) else source.folder)
        for source in sources
    ]
    return table_of(read_rows(paths), published)


def table_of(rows: pd.DataFrame, published: bool = False) -> pd.DataFrame:
    """Return the table of rows that `read_rows` gave; see `table`."""
    in_layout = rows["split"].isin(TEST_SPLITS)
    boards: list[Leaderboard] = []
    for part in (rows[in_layout], rows[~in_layout]):
        if not part.empty:
            boards += leaderboards(part)[0]
    if published:
        boards.append(leaderboards(rows)[1])
    splits = sorted({*TEST_SPLITS, *rows["split"].dropna()}, key=split_order)
    frame = pd.DataFrame([record for board in boards for record in _records(board, splits)])
    fractions = [name for name in frame if name.startswith(_METRICS)]
    numbers = [*fractions, "r_final", "seconds", "latency_ms", "peak_memory_mb"]
    kinds = dict.fromkeys(numbers, "float64") | dict.fromkeys(
        ("rank", "n_objects", "n_seeds"), "Int64"
    )
    return frame.astype(kinds | {"pareto_latency": "boolean", "pareto_memory": "boolean"})


def _records(board: Leaderboard, splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    fronts = board.fronts()
    for place, rank, entry in board.ranked():
        yield {
            "data_set": board.data_set,
            "splits": board.splits or None,
            "rank": place,
            "r_final": rank,
            "recipe": entry.name if entry.is_ours else None,
            "method": entry.method,
            "n_objects": len(entry.objects or board.objects),
            "n_seeds": entry.n_seeds[0],
            "vand4_admissible": entry.admissible if entry.is_ours else None,
            **{
                f"{metric}_{short_split(split)}": entry.scores(split, metric).mean
                for metric in _METRICS
                for split in splits
            },
            **{f"segf1_{short_split(split)}_std": entry.scores(split).std for split in splits},
            "segf1_drop": drop(*entry.means),
            "seconds": entry.cost.seconds,
            "latency_ms": entry.cost.latency_ms,
            "peak_memory_mb": entry.cost.peak_mb,
            "pareto_latency": fronts[entry.name][0],
            "pareto_memory": fronts[entry.name][1],
            "source": "; ".join(entry.sources) or None,
        }


def render(
    rows: pd.DataFrame, form: str = "md", ranked: bool = False, means_only: bool = False
) -> str:
    """Return rows as text.

    Args:
        rows: From `read_rows`.
        form: `md` are the tables; `csv` and `json` every row, rounded to six digits in CSV, which
            is finer than any of them is certain.
        ranked: In CSV and JSON, `table_of` with the published rows instead of every row.
        means_only: In markdown, leave out the tables per object and those beside the ranking.
    """
    if form == "md":
        return "\n\n".join(part.markdown() for part in tables(rows, means_only))
    frame = table_of(rows, published=True) if ranked else rows
    if form == "csv":
        return csv_text(frame).rstrip("\n")
    return json.dumps(json.loads(frame.to_json(orient="records")), indent=2)
