"""Numbers of MVTec AD 2 that were not computed here: published ones, and the server's answer.

Published numbers stand in `results/baselines.csv`, in percent, each with its source; a source that
begins with SECONDARY is a transcription by others. The server's answer is a CSV with the columns
`split,object,SegF1,AucPro_0.05,ClassF1`: `server.csv` beside the objects of a recipe. ClassF1 is
the server's own metric: it is never computed here, and has no column beside ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS
from zoo.results.aggregate import Entry, Scores
from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError, nearest

DATA_SET = "MVTec AD 2"
SERVER_FILE = "server.csv"
# The tracks of the industrial challenge on this data set; the rest of the file is other data.
_TRACKS = ("vand3_category1", "vand4_industrial", "mvtec_ad_2_paper", "mvtec_ad_2_server")
_PUBLISHED_SPLITS = {"priv": "test_private", "priv_mix": "test_private_mixed"}
_SECOND_HAND = "SECONDARY"
_SERVER_METRICS = ("SegF1", "AucPro_0.05", "ClassF1")
_SERVER_COLUMNS = ("split", "object", *_SERVER_METRICS)
_SERVER_SPLITS = {
    name: split for split in PRIVATE_SPLITS for name in (split, split.removeprefix("test_"))
}
_REPAIR = f"save the server's answer as CSV in UTF-8, {','.join(_SERVER_COLUMNS)}"


def published(metric: str) -> list[Entry]:
    """Return every method with a published metric on the private splits, in the file's order.

    Args:
        metric: SegF1, AU-PRO_0.05, AU-PRO_0.30 or ClassF1. `AU-PRO_0.05@256` in the file is the
            method PatchCore @256 of the metric AU-PRO_0.05.
    """
    frame = _baselines()
    frame = frame[frame["metric"].str.partition("@")[0] == metric]
    size = frame["metric"].str.partition("@")[2].str.replace("_", " ")
    names = frame["method"].where(size == "", frame["method"] + " @" + size)
    return [_entry(str(name), group) for name, group in frame.groupby(names, sort=False)]


@cache
def object_names() -> tuple[str, ...]:
    """Return the objects that the benchmark has, sorted."""
    return tuple(sorted(set(_baselines()["object"]) - {"mean"}))


def results_folder() -> Path:
    """Return the folder of the packaged results: the wheel's, else the checkout's."""
    package = Path(str(files("zoo")))
    packaged = package / "_results"
    return packaged if packaged.is_dir() else package.parent / "results"


@cache
def _baselines() -> pd.DataFrame:
    frame = pd.read_csv(results_folder() / "baselines.csv")
    return frame[frame["track"].isin(_TRACKS) & frame["split"].isin(_PUBLISHED_SPLITS)]


def _entry(name: str, group: pd.DataFrame) -> Entry:
    scores = {}
    for short, split in _PUBLISHED_SPLITS.items():
        part = group[group["split"] == short]
        values = {row.object: row.value / 100 for row in part.itertuples()}
        stated = values.pop("mean", None)
        scores[split] = Scores(values, stated=stated)
    is_second_hand = bool(group["source"].str.startswith(_SECOND_HAND).any())
    sources = tuple(dict.fromkeys(group["source"]))
    return Entry(name, name, published=scores, sources=sources, is_second_hand=is_second_hand)


def read_server(path: Path, objects: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the server's numbers, one row per split and object, as fractions.

    Args:
        path: The CSV. Splits may be written with or without `test_`; rows of the object `mean` are
            left out, since means are computed here. Values all at most 1 are taken as fractions,
            others as percentages.
        objects: The objects that must be there; by default all of the benchmark.

    Raises:
        ZooError: No such file or no CSV, other columns, a number out of range, or a split or object
            that is unknown, missing or there twice.
    """
    rows = read_csv(path, _SERVER_COLUMNS, numbers=_SERVER_METRICS, repair=_REPAIR)
    frame = pd.DataFrame(rows, columns=list(_SERVER_COLUMNS))
    for name in frame["split"]:
        if name not in _SERVER_SPLITS:
            hint = nearest(name, _SERVER_SPLITS)
            raise ZooError(f"server file {path}: unknown split '{name}'{hint}")
    frame["split"] = frame["split"].map(_SERVER_SPLITS)
    frame = frame[frame["object"] != "mean"]
    _check_objects(path, frame, objects or object_names())
    return _fractions(path, frame).sort_values(["split", "object"], ignore_index=True)


def _check_objects(path: Path, frame: pd.DataFrame, objects: Sequence[str]) -> None:
    for name in frame["object"]:
        if name not in objects:
            raise ZooError(f"server file {path}: foreign object '{name}'{nearest(name, objects)}")
    for row in frame[frame.duplicated(["split", "object"])].itertuples():
        raise ZooError(f"server file {path} has {row.object} of {row.split} twice")
    given = set(zip(frame["split"], frame["object"], strict=True))
    lacking = [f"{o} of {s}" for s in PRIVATE_SPLITS for o in objects if (s, o) not in given]
    if lacking:
        more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        raise ZooError(
            f"server file {path} lacks {', '.join(lacking[:4])}{more}: a mean needs every object; "
            "copy all rows from the server"
        )


def _fractions(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    for name in _SERVER_METRICS:
        try:
            frame[name] = frame[name].replace("", "nan").astype(float)
        except ValueError as error:
            raise ZooError(f"server file {path}: {name} holds no number ({error})") from error
    if frame[["SegF1", "AucPro_0.05"]].isna().any(axis=None):
        raise ZooError(f"server file {path}: a value is missing; copy it from the server")
    values = frame[list(_SERVER_METRICS)]
    if (values < 0).any(axis=None) or (values > 100).any(axis=None):
        raise ZooError(f"server file {path}: values must lie in 0..1 or in 0..100")
    if values.max(axis=None) > 1:
        frame[list(_SERVER_METRICS)] = values / 100
    return frame
