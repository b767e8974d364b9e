"""One method's measured rows: SegF1 of every recipe on every object, mean over seeds, with cost."""

from __future__ import annotations

import pandas as pd

from zoo.results.aggregate import standings
from zoo.results.means import HEAD, cells_of
from zoo.utils.markdown import grid

_LEFT_OUT = ("method", "VAND 4", "objects", "R_final", "Pareto")


def method_table(rows: pd.DataFrame) -> str:
    """Return a markdown table with a line per recipe and object.

    Args:
        rows: Of one method, as `zoo.results.table.rows_of` has them.
    """
    kept = [index for index, name in enumerate(HEAD) if name not in _LEFT_OUT]
    lines = []
    for standing in sorted(standings(rows), key=lambda each: each.name):
        for name in standing.objects:
            cells = cells_of(standing.on(standing.rows["object"] == name))
            recipe, *others = (cells[index] for index in kept)
            lines.append([f"`{recipe}`", name, *others])
    recipe, *others = (HEAD[index] for index in kept)
    return grid([recipe, "object", *others], lines, 2)
