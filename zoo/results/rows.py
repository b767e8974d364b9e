"""Rows: one per run and split, read from run folders and from CSV files that were made from them.

Never imports torch. Where a recipe's folder holds `server.csv`, the benchmark server's answer
stands in the private rows of its first seed, whose masks were sent in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from typing_extensions import NotRequired

from zoo.results.aggregate import HERE, SERVER
from zoo.results.published import SERVER_FILE, read_server
from zoo.runs.check import check_sound
from zoo.runs.documents import (
    FAILED,
    Cost,
    Failure,
    Figures,
    Metrics,
    check_metrics,
    is_scored,
    read_cost,
    read_failure,
)
from zoo.runs.documents import METRICS as METRICS_FILE
from zoo.runs.folder import UNFINISHED, has_metrics_of_ours
from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError
from zoo.utils.schema import Count, Name, NonNegative, RecipeName, Text, read_json, validated
from zoo.utils.text import from_csv_cell, printable

OnError = Callable[[ZooError], None]

KEY = ("recipe", "method", "object", "split", "seed")
METRICS = tuple(name for name in Figures.__annotations__ if name != "reasons")
EXPECTED = "expected_false_alarms_per_1000"
COST = ("fit_s", "total_s", "p50_ms", "peak_rss_mb", "threads", "device", "processor")
PACKAGES = ("anomalib-zoo", "anomalib", "torch", "timm")
FACTS = ("vand4_admissible", "data_fingerprint", "settings_hash", "command")
COLUMNS = ("recipe", "method", "object", "seed", "split", *METRICS, "scored_by", EXPECTED)
COLUMNS += (*COST, *PACKAGES, *FACTS)
_NUMBERS = ("seed", *METRICS, EXPECTED, *COST[:-2])  # all other cells of a CSV file are text
_TEXTS = ("scored_by", *COST[-2:], *PACKAGES, *FACTS)
_KEEP = {"extra": "allow"}  # columns that are not named here
_CSV_REPAIR = "give a file that `zoo table RUNS --format csv` wrote"


class _CsvRow(Figures):
    """What is checked of a line of a CSV file; an empty cell is None."""

    __pydantic_config__ = _KEEP  # type: ignore[misc]  # pydantic reads it of TypedDicts too

    recipe: RecipeName
    method: Text
    object: Name
    split: Name | None
    seed: Count
    expected_false_alarms_per_1000: NotRequired[NonNegative | None]
    fit_s: NotRequired[NonNegative | None]
    total_s: NotRequired[NonNegative | None]
    p50_ms: NotRequired[NonNegative | None]
    peak_rss_mb: NotRequired[NonNegative | None]
    threads: NotRequired[NonNegative | None]


def read_rows(sources: Sequence[Path], on_error: OnError | None = None) -> pd.DataFrame:
    """Return one row per run and split of run folders and CSV files, with the columns `COLUMNS`.

    Args:
        sources: Folders and files.
        on_error: Called with what is wrong with each damaged run or file, which is then left out.
            By default the error is raised.

    Raises:
        ZooError: A source does not exist or holds no finished run.
    """
    on_error = on_error or _raise
    frames: list[pd.DataFrame] = []
    for source in map(Path, sources):
        if source.is_dir():
            frames.append(_of_folder(source, on_error))
        elif source.is_file():
            try:
                frames.append(_of_csv(source))
            except ZooError as error:
                on_error(error)
        else:
            raise ZooError(f"no results at {source}: the folder does not exist; run `zoo bench`")
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if rows.empty:
        where = ", ".join(str(source) for source in sources)
        raise ZooError(f"no finished run in {where}: run `zoo bench` with --out there")
    rows = rows.reindex(columns=list(dict.fromkeys([*COLUMNS, *rows])))
    rows = rows.astype(dict.fromkeys(_TEXTS, object))
    known = rows["scored_by"].isna() & rows["segf1"].notna()
    rows["scored_by"] = rows["scored_by"].mask(known, HERE)
    return rows.sort_values(list(KEY), ignore_index=True)


def finished_runs(sources: Sequence[Path], on_error: OnError | None = None) -> list[Path]:
    """Return the folders of all finished runs, sorted; arguments as `read_rows`."""
    on_error = on_error or _raise
    folders = [run.folder for source in sources for run in _finished(Path(source), on_error)]
    return list(dict.fromkeys(folders))


def failed_runs(sources: Sequence[Path]) -> list[Failure]:
    """Return recipe, object, seed and reason of all runs that failed."""
    failures = []
    for source in map(Path, sources):
        for path in sorted(source.rglob(FAILED) if source.is_dir() else ()):
            try:
                failures.append(read_failure(path))
            except ZooError as error:
                failures.append(Failure(recipe="?", object="?", seed=0, reason=str(error)))
    return failures


def _raise(error: ZooError) -> None:
    raise error


def _of_csv(path: Path) -> pd.DataFrame:
    texts = read_csv(path, (*KEY, "segf1"), _NUMBERS, _CSV_REPAIR)
    lines = {
        f"line {number}": {name: _cell(name, text) for name, text in row.items()}
        for number, row in enumerate(texts, start=2)
    }
    checked = validated(dict[Text, _CsvRow], lines, path, _CSV_REPAIR)
    return pd.DataFrame(list(checked.values()))


def _cell(name: str, text: str) -> float | int | str | None:
    """Return what a cell holds, None for nothing, and a text for what must be refused."""
    if name not in _NUMBERS:
        return printable(from_csv_cell(text)) or None
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text or None


def _of_folder(folder: Path, on_error: OnError) -> pd.DataFrame:
    """Return the rows of all runs in a folder, with what the server answered."""
    runs = list(_finished(folder, on_error))
    rows = pd.DataFrame([row for run in runs for row in _rows(run)])
    for answer in sorted(folder.rglob(SERVER_FILE)):
        below = [run for run in runs if run.folder.is_relative_to(answer.parent)]
        recipes = {run.metrics["recipe"] for run in below}
        try:
            if len(recipes) != 1:
                raise ZooError(
                    f"{answer} stands beside the runs of {len(recipes)} recipes, not of one"
                )
            _fill_in(rows, recipes.pop(), read_server(answer))
        except ZooError as error:
            on_error(error)
    return rows


def _fill_in(rows: pd.DataFrame, recipe: str, answer: pd.DataFrame) -> None:
    """Write the server's numbers into the rows of a recipe's first seed."""
    seed = rows.loc[rows["recipe"] == recipe, "seed"].min()
    first = (rows["recipe"] == recipe) & (rows["seed"] == seed)
    for entry in answer.to_dict("records"):
        row = first & (rows["split"] == entry["split"]) & (rows["object"] == entry["object"])
        rows.loc[row, ["segf1", "au_pro_005"]] = entry["SegF1"], entry["AucPro_0.05"]
        rows.loc[row, "scored_by"] = SERVER


@dataclass(frozen=True)
class _Run:
    folder: Path
    metrics: Metrics
    cost: Cost


def _finished(source: Path, on_error: OnError) -> Iterator[_Run]:
    """Yield every finished run of a source, sorted; a file has none."""
    for path in sorted(source.rglob(METRICS_FILE) if source.is_dir() else ()):
        folder = path.parent
        if folder.name.endswith(UNFINISHED) or not _is_run(folder):
            continue
        try:
            check_sound(folder, with_model=False)
            yield _Run(folder, check_metrics(folder), read_cost(folder))
        except ZooError as error:
            on_error(error)


def _is_run(folder: Path) -> bool:
    """Whether a file of metrics is a run's, however damaged, and not another program's."""
    if has_metrics_of_ours(folder):
        return True
    try:
        data = read_json(folder / METRICS_FILE)
    except ZooError:
        return False
    return isinstance(data, dict) and set(data) >= {"recipe", "method", "object", "seed", "splits"}


def _rows(run: _Run) -> list[dict[str, object]]:
    """Return a row per split of a run, or one without a split."""
    metrics, cost = run.metrics, run.cost
    versions = cost.get("versions", {})
    shared = {
        EXPECTED: (metrics.get("expected_false_alarms") or {}).get("per_1000"),
        "fit_s": cost.get("phases", {}).get("fit", {}).get("wall_s"),
        "p50_ms": cost.get("latency", {}).get("p50_ms"),
        "peak_rss_mb": cost.get("memory", {}).get("peak_rss_mb"),
        **{name: cost.get(name) for name in ("total_s", "threads", "device", "processor")},
        **{package: versions.get(package) for package in PACKAGES},
        **{name: metrics.get(name) for name in FACTS},
    }
    splits: list[tuple[str | None, Figures]] = [*metrics["splits"].items()]
    return [
        {
            **{key: metrics[key] for key in ("recipe", "method", "object", "seed")},
            "split": split,
            **{name: values.get(name) for name in METRICS},
            "scored_by": HERE if is_scored(values) else None,
            **shared,
        }
        for split, values in splits or [(None, Figures())]
    ]
