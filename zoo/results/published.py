"""The published numbers of `results/baselines.csv`, each with its source.

Rows whose source begins with SECONDARY are transcriptions by others; everything else was read where
it was first published. Values of the file are percentages, here they are fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

DATA_SET = "MVTec AD 2"
# Only these tell of the industrial track and of its data set; the rest of the file is other data.
_TRACKS = ("vand3_category1", "vand4_industrial", "mvtec_ad_2_paper", "mvtec_ad_2_server")
_SPLITS = {"priv": "test_private", "priv_mix": "test_private_mixed"}
_SECOND_HAND = "SECONDARY"


@dataclass(frozen=True)
class Published:
    """One published method, or one input size of it.

    Attributes:
        method: Name in the publication, with the input size where the metric names one.
        scores: {split: {object or "mean": value in [0, 1]}}.
        sources: Where the values were read, without repetition.
        second_hand: Whether any value is a transcription by somebody else.
    """

    method: str
    scores: dict[str, dict[str, float]]
    sources: tuple[str, ...]
    second_hand: bool


def published(metric: str) -> list[Published]:
    """Return everybody of whom a metric is published on the private splits, in the file's order.

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
    packaged = Path(str(files("zoo"))) / "_results"
    return packaged if packaged.is_dir() else Path(str(files("zoo"))).parent / "results"


@cache
def _baselines() -> pd.DataFrame:
    frame = pd.read_csv(results_folder() / "baselines.csv")
    return frame[frame["track"].isin(_TRACKS) & frame["split"].isin(_SPLITS)]


def _entry(name: str, group: pd.DataFrame) -> Published:
    values: dict[str, dict[str, float]] = {split: {} for split in _SPLITS.values()}
    for row in group.itertuples():
        values[_SPLITS[row.split]][row.object] = row.value / 100
    second_hand = bool(group["source"].str.startswith(_SECOND_HAND).any())
    return Published(name, values, tuple(dict.fromkeys(group["source"])), second_hand)
