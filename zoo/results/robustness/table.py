"""The scores of runs under lights as markdown: a row per family, a column per severity."""

from __future__ import annotations

import pandas as pd

from zoo.utils.markdown import grid, percent
from zoo.utils.text import markdown_cell

_MARKS = {"calibration": "c", "training": "t"}
NOTE = (
    "SegF1 and, in brackets, the relative drop from the images as they are; mean over objects.\n"
    "Computed lights, easier than a lamp that moves. [c] and [t]: the run saw this family in "
    "calibration or in training, so that it tests nothing new."
)


def robustness_table(rows: pd.DataFrame) -> str:
    """Return one table per recipe; the drop is that of the means, as in the challenges.

    Args:
        rows: Columns of `zoo.results.robustness.measure.LightScore`.
    """
    return "\n\n".join([NOTE, *(_of_recipe(str(n), g) for n, g in rows.groupby("recipe"))])


def label(family: str, seen: str) -> str:
    """Return a family with the marks of where it was seen.

    Example:
        >>> label("gain", "calibration and training"), label("spot", "")
        ('gain [c, t]', 'spot')
    """
    marks = [mark for word, mark in _MARKS.items() if word in seen]
    return f"{family} [{', '.join(marks)}]" if marks else family


def _of_recipe(recipe: str, rows: pd.DataFrame) -> str:
    of_objects = rows.groupby(["family", "severity", "object"], sort=False)["segf1"].mean()
    means = of_objects.groupby(["family", "severity"], sort=False).mean()  # seeds come first
    clean = means["clean", 0]
    lit = rows[rows["severity"] > 0]
    severities = sorted(lit["severity"].unique())
    lines = [["as they are", percent(clean), *[""] * (len(severities) - 1)]]
    for family in dict.fromkeys(lit["family"]):
        seen = " ".join(lit.loc[lit["family"] == family, "seen"].fillna(""))
        cells = [_cell(means[family, severity], clean) for severity in severities]
        lines.append([label(family, seen), *cells])
    names = markdown_cell(", ".join(sorted(rows["object"].unique())))
    table = grid(["severity", *map(str, severities)], lines)
    return f"**{markdown_cell(recipe)}** ({names})\n\n{table}"


def _cell(segf1: float, clean: float) -> str:
    return (
        percent(segf1)
        if not clean or pd.isna(clean)
        else f"{percent(segf1)} ({percent((clean - segf1) / clean)})"
    )
