"""The scores of one recipe under lights as a picture: a panel per family."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.results.robustness.table import label

_COLUMNS = 3
_MEAN, _OBJECT, _SEEN = "#1f4e79", "#9bb7d4", "#f3efe2"


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Write a PNG: SegF1 over severity, one line per object, their mean in bold.

    Args:
        rows: Of one recipe, columns of `zoo.results.robustness.measure.LightScore`.
        path: Where to write.
    """
    families = list(dict.fromkeys(rows.loc[rows["severity"] > 0, "family"]))
    n_rows = -(-len(families) // _COLUMNS)
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(3.2 * _COLUMNS, 2.4 * n_rows + 0.7), layout="constrained")
        panels = figure.subplots(n_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).flat
        for family, axes in zip(families, panels, strict=False):
            _panel(axes, rows, family)
        for axes in list(panels)[len(families) :]:
            axes.set_visible(False)
        recipe, n_images = rows["recipe"].iloc[0], rows.groupby("object")["n_images"].first().sum()
        figure.suptitle(f"{recipe}: SegF1 under other lights, {n_images} images")
        figure.supxlabel("severity (0: as they are)")
        figure.supylabel("SegF1, %")
        top = 100 * rows["segf1"].fillna(0.0).max()
        figure.axes[0].set_ylim(0, min(100, 10 * math.ceil(max(top, 5) / 9)))  # shared by all
        figure.savefig(path, dpi=130)


def _panel(axes: Axes, rows: pd.DataFrame, family: str) -> None:
    part = rows[(rows["family"] == family) | (rows["severity"] == 0)]
    scores = 100 * part.pivot_table(index="severity", columns="object", values="segf1")
    if len(scores.columns) > 1:
        axes.plot(scores.index, scores.to_numpy(), color=_OBJECT, linewidth=1)
    mean = scores.mean(axis=1)
    axes.plot(mean.index, mean.to_numpy(), color=_MEAN, linewidth=2, marker="o", markersize=4)
    seen = " ".join(rows.loc[rows["family"] == family, "seen"].fillna(""))
    axes.set_title(label(family, seen), fontsize=9)
    if seen.strip():
        axes.set_facecolor(_SEEN)
    axes.set_xticks(list(scores.index))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
