"""Results as rows and tables: one row per run and split, summarised per recipe, beside VAND's rows.

Never imports torch. `rows_of` reads run folders and CSV files that were made from them; `render`
prints the summary (markdown) or the rows themselves (CSV, JSON). Runs on other splits than those of
MVTec AD 2, such as those on your own pictures, have a table of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

from zoo.data.layout import TEST_SPLITS
from zoo.errors import ZooError
from zoo.runs.folder import COST as COST_FILE
from zoo.runs.folder import METRICS as METRICS_FILE
from zoo.runs.folder import UNFINISHED, read_metrics

METRICS = (
    "segf1",
    "precision",
    "recall",
    "oracle_segf1",
    "segf1_all_positive",
    "flagged_fraction",
    "image_auroc",
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
PACKAGES = ("anomalib-zoo", "anomalib", "torch", "timm")
PUBLISHED_NOTE = (
    "Published on **MVTec AD 2** (VAND 3.0 challenge, arXiv 2509.17615, table 2), SegF1 of its "
    "server.\nAnother data set: not comparable with the rows above."
)


def rows_of(sources: Sequence[Path]) -> pd.DataFrame:
    """Collect one row per run and split from run folders and CSV files.

    Raises:
        ZooError: A source does not exist or holds no finished run.
    """
    frames = []
    for source in map(Path, sources):
        if source.is_file():
            frames.append(pd.read_csv(source))
        elif source.is_dir():
            files = sorted(source.rglob(METRICS_FILE))
            frames.append(pd.DataFrame([row for path in files for row in _rows(path)]))
        else:
            raise ZooError(f"no results at {source}: the folder does not exist; run `zoo bench`")
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if rows.empty:
        where = ", ".join(str(source) for source in sources)
        raise ZooError(f"no finished run in {where}: run `zoo bench` with --out there")
    return rows.sort_values(list(KEY), ignore_index=True)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Average SegF1 over objects, per recipe and split, with the drop under mixed light and cost.

    Seeds are averaged within an object first; the spread is the standard deviation of the object
    means over seeds. The drop is relative to `test_private`, as in the challenge paper.
    """
    found = []
    for (recipe, method), group in rows.groupby(["recipe", "method"], sort=False):
        entry: dict[str, object] = {
            "recipe": recipe,
            "method": method,
            "objects": group["object"].nunique(),
            "seeds": group["seed"].nunique(),
        }
        for split in TEST_SPLITS:
            part = group[group["split"] == split]
            by_seed = part.groupby("seed")["segf1"].mean()
            complete = len(part) > 0 and part["segf1"].notna().all()
            entry[split] = by_seed.mean() if complete else None
            entry[f"{split}_spread"] = by_seed.std(ddof=0) if complete else None
        private, mixed = entry["test_private"], entry["test_private_mixed"]
        entry["drop"] = (private - mixed) / private if private and mixed is not None else None
        runs = group.drop_duplicates(["object", "seed"])
        entry["seconds"] = runs["total_s"].mean()
        entry["p50_ms"] = runs["p50_ms"].mean()
        entry["peak_rss_mb"] = runs["peak_rss_mb"].max()
        found.append(entry)
    return pd.DataFrame(found)


def render(rows: pd.DataFrame, form: str = "md") -> str:
    """Return rows as text: `md` the summary, `csv` and `json` every row.

    Numbers are rounded to six digits in CSV, which is finer than any of them is certain.
    """
    if form == "csv":
        return rows.to_csv(index=False, float_format="%.6g", lineterminator="\n").rstrip("\n")
    if form == "json":
        records = json.loads(rows.to_json(orient="records"))
        return json.dumps(records, indent=2)
    in_layout = rows["split"].isin(TEST_SPLITS)
    parts = []
    if in_layout.any():
        parts += [_markdown(summary(rows[in_layout]), rows[in_layout]), published_table()]
    if not in_layout.all():
        parts.append(_image_table(rows[~in_layout]))
    return "\n\n".join(parts)


def published_table() -> str:
    """Return the published rows of the VAND 3.0 challenge as markdown."""
    frame = pd.read_csv(_results_folder() / "baselines.csv")
    wanted = {"priv": "private", "priv_mix": "private_mixed", "priv+priv_mix": "drop"}
    frame = frame[frame["metric"].isin(["SegF1", "abs_Delta_rel"]) & frame["split"].isin(wanted)]
    order = list(dict.fromkeys(frame["method"]))
    wide = frame.pivot_table(index="method", columns="split", values="value").rename(columns=wanted)
    lines = ["| method | private | private_mixed | drop |", "|---|---:|---:|---:|"]
    for method in order:
        row = wide.loc[method]
        lines.append(
            f"| {method} | {row['private']:.1f} % | {row['private_mixed']:.1f} % "
            f"| {row['drop']:.1f} % |"
        )
    return f"{PUBLISHED_NOTE}\n\n" + "\n".join(lines)


def _markdown(table: pd.DataFrame, rows: pd.DataFrame) -> str:
    names = ", ".join(sorted(rows["object"].unique()))
    lines = [
        f"SegF1 at native resolution, one fixed mask per image, mean over objects ({names}).",
        "Drop: relative loss from private to private_mixed. Seconds: fit, calibration and all "
        "splits of one object. ms: one image, median.",
        "",
        "| recipe | method | objects | seeds | public | private | private_mixed | drop | seconds "
        "| ms | peak MB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table.to_dict("records"):
        scores = [
            _score(row[split], row[f"{split}_spread"] if row["seeds"] > 1 else None)
            for split in TEST_SPLITS
        ]
        drop = "-" if pd.isna(row["drop"]) else f"{100 * row['drop']:.1f} %"
        lines.append(
            f"| {row['recipe']} | {row['method']} | {row['objects']} | {row['seeds']} | "
            f"{' | '.join(scores)} | {drop} | {row['seconds']:.0f} | {row['p50_ms']:.0f} | "
            f"{row['peak_rss_mb']:.0f} |"
        )
    if len(set(table["objects"])) > 1:
        lines += ["", "The recipes were run on different objects: their means do not compare."]
    return "\n".join(lines)


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
    if pd.isna(value):
        return "-"
    percent = f"{100 * value:.1f} %"
    return percent if pd.isna(spread) else f"{percent} ± {100 * spread:.1f}"


def _rows(path: Path) -> list[dict[str, object]]:
    """Return a row per split of a run, or one without a split; none if the file is no run's."""
    metrics = read_metrics(path.parent) or {}
    if path.parent.name.endswith(UNFINISHED) or not set(metrics) >= _FACTS:
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
        "command": metrics.get("command"),
    }
    return [
        {
            **{key: metrics[key] for key in KEY if key != "split"},
            "split": split,
            **{name: values.get(name) for name in METRICS},
            **shared,
        }
        for split, values in (metrics["splits"] or {None: {}}).items()
    ]


def _results_folder() -> Path:
    packaged = Path(str(files("zoo"))) / "_results"
    return packaged if packaged.is_dir() else Path(str(files("zoo"))).parent / "results"
