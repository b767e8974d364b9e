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
from typing_extensions import NotRequired, TypedDict

from zoo.results.aggregate import HERE, SERVER
from zoo.results.server import SERVER_FILE, read_server
from zoo.runs.damage import check_sound
from zoo.runs.documents import (
    FAILED,
    Cost,
    Failure,
    Metrics,
    Share,
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
from zoo.utils.text import from_csv_cell

OnError = Callable[[ZooError], None]

METRICS = (
    "segf1",
    "segf1_low",
    "segf1_high",
    "precision",
    "recall",
    "oracle_segf1",
    "segf1_all_positive",
    "flagged_fraction",
    "image_auroc",
    "image_auroc_low",
    "image_auroc_high",
    "image_f1_max",
    "pixel_auroc",
    "au_pro_005",
    "au_pro_030",
    "false_blobs_per_good_image",
    "false_alarm_rate",
    "detection_rate",
    "n_images",
    "n_good",
)
KEY = ("recipe", "method", "object", "split", "seed")
_FACTS = {"recipe", "method", "object", "seed", "splits"}  # of every run's metrics
_COUNTS = {"false_blobs_per_good_image", "n_images", "n_good"}
COST = ("fit_s", "total_s", "p50_ms", "peak_rss_mb", "threads", "device", "processor")
EXPECTED = "expected_false_alarms_per_1000"
FACTS = ("vand4_admissible", "scored_by", "data_fingerprint", "settings_hash")
PACKAGES = ("anomalib-zoo", "anomalib", "torch", "timm")
_NUMBERS = ("seed", *METRICS, *COST[:-2], EXPECTED)  # whatever else a CSV file holds is text
_CSV_ROW = TypedDict(
    "_CSV_ROW",
    {
        "recipe": RecipeName,
        "method": Text,
        "object": Name,
        "split": Name | None,
        "seed": Count,
        "segf1": Share | None,
        **{name: NotRequired[Share | None] for name in METRICS[1:] if name not in _COUNTS},
        **dict.fromkeys((*_COUNTS, *COST[:-2], EXPECTED), NotRequired[NonNegative | None]),
        **dict.fromkeys((*COST[-2:], *FACTS, *PACKAGES), NotRequired[Text | None]),
    },
)


def rows_of(sources: Sequence[Path], on_error: OnError | None = None) -> pd.DataFrame:
    """Collect one row per run and split from run folders and CSV files.

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
    for name in FACTS:  # older files lack some
        if name not in rows:
            rows[name] = None
    known = rows["scored_by"].isna() & rows["segf1"].notna()
    rows["scored_by"] = rows["scored_by"].astype(object).mask(known, HERE)
    return rows.sort_values(list(KEY), ignore_index=True)


def finished_runs(sources: Sequence[Path], on_error: OnError | None = None) -> list[Path]:
    """Return the folders of all finished runs, sorted; sources that are files have none.

    Args:
        sources: Folders and files.
        on_error: As in `rows_of`.
    """
    on_error = on_error or _raise
    found = [run.folder for each in sources for run in _finished(Path(each), on_error)]
    return list(dict.fromkeys(found))


def failed_runs(sources: Sequence[Path]) -> list[Failure]:
    """Return recipe, object, seed and reason of all runs that failed."""
    found = []
    for source in map(Path, sources):
        for path in sorted(source.rglob(FAILED) if source.is_dir() else ()):
            try:
                found.append(read_failure(path))
            except ZooError as error:
                found.append(Failure(recipe="?", object="?", seed=0, reason=str(error)))
    return found


def _raise(error: ZooError) -> None:
    raise error


def _of_csv(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV file that `zoo table` wrote, checked."""
    mend = "give a file that `zoo table RUNS --format csv` wrote"
    texts = read_csv(path, (*KEY, "segf1"), _NUMBERS, mend)
    lines = {
        f"line {number}": {name: _cell(name, text) for name, text in row.items()}
        for number, row in enumerate(texts, start=2)
    }
    checked = validated(dict[Text, _CSV_ROW], lines, path, mend)
    return pd.DataFrame([{**row, **checked[line]} for line, row in lines.items()])


def _cell(name: str, text: str) -> float | int | str | None:
    return _number(text) if name in _NUMBERS else from_csv_cell(text) or None


def _number(text: str) -> float | int | str | None:
    """Return what a cell holds, None for nothing, and a text for what must be refused."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text or None


def _of_folder(folder: Path, on_error: OnError) -> pd.DataFrame:
    """Return the rows of all runs in a folder, with what the server answered."""
    found = list(_finished(folder, on_error))
    frame = pd.DataFrame([row for run in found for row in _rows(run)])
    for answer in sorted(folder.rglob(SERVER_FILE)):
        below = [run for run in found if run.folder.is_relative_to(answer.parent)]
        recipes = {run.metrics["recipe"] for run in below}
        try:
            if len(recipes) != 1:
                raise ZooError(
                    f"{answer} stands beside the runs of {len(recipes)} recipes, not of one"
                )
            _put_in(frame, recipes.pop(), read_server(answer))
        except ZooError as error:
            on_error(error)
    return frame


def _put_in(frame: pd.DataFrame, recipe: str, answer: pd.DataFrame) -> None:
    """Write the server's numbers into the rows of a recipe's first seed."""
    seed = frame.loc[frame["recipe"] == recipe, "seed"].min()
    mine = (frame["recipe"] == recipe) & (frame["seed"] == seed)
    for entry in answer.to_dict("records"):
        row = mine & (frame["split"] == entry["split"]) & (frame["object"] == entry["object"])
        frame.loc[row, ["segf1", "au_pro_005"]] = entry["SegF1"], entry["AucPro_0.05"]
        frame.loc[row, "scored_by"] = SERVER


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
    return isinstance(data, dict) and set(data) >= _FACTS


def _rows(run: _Run) -> list[dict[str, object]]:
    """Return a row per split of a run, or one without a split."""
    metrics, cost = run.metrics, run.cost
    phases, version = cost.get("phases", {}), cost.get("versions", {})
    shared = {
        EXPECTED: (metrics.get("expected_false_alarms") or {}).get("per_1000"),
        "fit_s": phases.get("fit", {}).get("wall_s"),
        "total_s": cost.get("total_s"),
        "p50_ms": cost.get("latency", {}).get("p50_ms"),
        "peak_rss_mb": cost.get("memory", {}).get("peak_rss_mb"),
        "threads": cost.get("threads"),
        "device": cost.get("device"),
        "processor": cost.get("processor"),
        **{package: version.get(package) for package in PACKAGES},
        "vand4_admissible": metrics.get("vand4_admissible"),
        "data_fingerprint": metrics.get("data_fingerprint"),
        "settings_hash": metrics.get("settings_hash"),
        "command": metrics.get("command"),
    }
    return [
        {
            **{key: metrics[key] for key in KEY if key != "split"},
            "split": split,
            **{name: values.get(name) for name in METRICS},
            "scored_by": HERE if is_scored(values) else None,
            **shared,
        }
        for split, values in (metrics["splits"] or {None: {}}).items()
    ]
