"""Rows: one per run and split, read from run folders and from CSV files that were made from them.

Never imports torch. Where a recipe's folder holds `server.csv`, the benchmark server's answer
stands in the private rows of its first seed, whose masks were sent in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zoo.errors import ZooError
from zoo.runs.damage import check_sound
from zoo.runs.folder import COST as COST_FILE
from zoo.runs.folder import FAILED, UNFINISHED, read_metrics
from zoo.runs.folder import METRICS as METRICS_FILE
from zoo.standings.board import HERE, SERVER
from zoo.standings.server import SERVER_FILE, read_server

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
COST = ("fit_s", "total_s", "p50_ms", "peak_rss_mb", "threads", "device", "processor")
EXPECTED = "expected_false_alarms_per_1000"
FACTS = ("vand4_admissible", "scored_by", "data_fingerprint")
PACKAGES = ("anomalib-zoo", "anomalib", "torch", "timm")


def rows_of(sources: Sequence[Path]) -> pd.DataFrame:
    """Collect one row per run and split from run folders and CSV files.

    Raises:
        ZooError: A source does not exist or holds no finished run.
    """
    frames: list[pd.DataFrame] = []
    for source in map(Path, sources):
        if source.is_file():
            frames.append(pd.read_csv(source, dtype={"data_fingerprint": str}))
        elif source.is_dir():
            frames.append(_of_folder(source))
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


def finished_runs(sources: Sequence[Path]) -> list[Path]:
    """Return the folders of all finished runs, sorted; sources that are files have none."""
    found = {
        path.parent: None
        for source in map(Path, sources)
        for path in sorted(source.rglob(METRICS_FILE) if source.is_dir() else ())
        if _rows(path)
    }
    return list(found)


def failed_runs(sources: Sequence[Path]) -> list[dict[str, object]]:
    """Return recipe, object, seed and reason of all runs that failed."""
    found = []
    for source in map(Path, sources):
        for path in sorted(source.rglob(FAILED) if source.is_dir() else ()):
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
                found.append({key: facts[key] for key in ("recipe", "object", "seed", "reason")})
            except (OSError, ValueError, KeyError, TypeError):
                found.append(dict.fromkeys(("recipe", "object", "seed"), "?"))
                found[-1]["reason"] = f"{path} cannot be read"
    return found


def _of_folder(folder: Path) -> pd.DataFrame:
    """Return the rows of all runs in a folder, with what the server answered."""
    found = sorted(folder.rglob(METRICS_FILE))
    frame = pd.DataFrame([row for path in found for row in _rows(path)])
    for answer in sorted(folder.rglob(SERVER_FILE)):
        below = [path for path in found if path.is_relative_to(answer.parent)]
        recipes = {row["recipe"] for path in below for row in _rows(path)}
        if len(recipes) != 1:
            raise ZooError(f"{answer} stands beside the runs of {len(recipes)} recipes, not of one")
        _put_in(frame, recipes.pop(), read_server(answer))
    return frame


def _put_in(frame: pd.DataFrame, recipe: str, answer: pd.DataFrame) -> None:
    """Write the server's numbers into the rows of a recipe's first seed."""
    seed = frame.loc[frame["recipe"] == recipe, "seed"].min()
    mine = (frame["recipe"] == recipe) & (frame["seed"] == seed)
    for entry in answer.to_dict("records"):
        row = mine & (frame["split"] == entry["split"]) & (frame["object"] == entry["object"])
        frame.loc[row, ["segf1", "au_pro_005"]] = entry["SegF1"], entry["AucPro_0.05"]
        frame.loc[row, "scored_by"] = SERVER


def _rows(path: Path) -> list[dict[str, object]]:
    """Return a row per split of a run, or one without a split; none if the file is no run's."""
    if path.parent.name.endswith(UNFINISHED):
        return []
    check_sound(path.parent, with_model=False)
    metrics = read_metrics(path.parent) or {}
    if not set(metrics) >= _FACTS:
        return []
    cost_file = path.with_name(COST_FILE)
    cost = json.loads(cost_file.read_text(encoding="utf-8")) if cost_file.is_file() else {}
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
        "command": metrics.get("command"),
    }
    return [
        {
            **{key: metrics[key] for key in KEY if key != "split"},
            "split": split,
            **{name: values.get(name) for name in METRICS},
            "scored_by": None if values.get("segf1") is None else HERE,
            **shared,
        }
        for split, values in (metrics["splits"] or {None: {}}).items()
    ]
