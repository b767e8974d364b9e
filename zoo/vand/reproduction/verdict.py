"""The server's answer against a published row: differences in points, and one verdict."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS
from zoo.results.aggregate import Entry
from zoo.utils.markdown import grid

NEAR = 0.02  # both means within two points
REPRODUCED = "reproduced"
MODEL_ONLY = "model yes, threshold no"
NOT = "not reproduced"
NOT_YET_RUN = "not yet run"


@dataclass(frozen=True)
class Difference:
    """A mean of ours and its published counterpart, as fractions.

    Attributes:
        metric: SegF1 or AU-PRO_0.05.
        split: test_private or test_private_mixed.
        ours: Mean over objects from the server.
        theirs: Published mean.
    """

    metric: str
    split: str
    ours: float
    theirs: float

    @property
    def is_near(self) -> bool:
        """Whether they lie within two points of each other."""
        return abs(self.ours - self.theirs) <= NEAR + 1e-9


def differences(answer: pd.DataFrame, segf1: Entry, au_pro: Entry | None) -> list[Difference]:
    """Return the differences of all means that are known on both sides.

    Args:
        answer: From `zoo.results.published.read_server`.
        segf1: The published row.
        au_pro: Published AU-PRO_0.05 of the same method, where there is one.
    """
    found = []
    for metric, column, theirs in (
        ("SegF1", "SegF1", segf1),
        ("AU-PRO_0.05", "AucPro_0.05", au_pro),
    ):
        for split in PRIVATE_SPLITS:
            known = theirs.mean(split) if theirs else None
            if known is not None:
                values = answer[answer["split"] == split].set_index("object")[column]
                found.append(Difference(metric, split, sum(values) / len(values), known))
    return found


def verdict(found: list[Difference]) -> str:
    """Return one of the three verdicts.

    Reproduced: both means of SegF1 within two points. Model yes, threshold no: only those of
    AU-PRO_0.05, which no threshold enters.
    """

    def agrees(metric: str) -> bool:
        mine = [each for each in found if each.metric == metric]
        return len(mine) == len(PRIVATE_SPLITS) and all(each.is_near for each in mine)

    if agrees("SegF1"):
        return REPRODUCED
    return MODEL_ONLY if agrees("AU-PRO_0.05") else NOT


def report(answer: pd.DataFrame, segf1: Entry, au_pro: Entry | None) -> str:
    """Return the differences per object and of the means, and the verdict, as markdown."""
    found = differences(answer, segf1, au_pro)
    parts = [_by_object(answer, segf1, split) for split in PRIVATE_SPLITS]
    lines = [
        [each.metric, each.split.removeprefix("test_"), *_cells(each.theirs, each.ours)]
        for each in found
    ]
    parts.append(grid(["mean of", "split", "published", "server", "difference"], lines, 2))
    sources = list(dict.fromkeys([*segf1.sources, *(au_pro.sources if au_pro else ())]))
    parts.append(f"Published: {'; '.join(sources)}.")
    parts.append(f"{segf1.method}: **{verdict(found)}**")
    return "\n\n".join(parts)


def _by_object(answer: pd.DataFrame, segf1: Entry, split: str) -> str:
    ours = answer[answer["split"] == split].set_index("object")["SegF1"]
    lines = [
        [name, *_cells(segf1.scores(split).by_object.get(str(name)), float(value))]
        for name, value in ours.items()
    ]
    head = f"SegF1 {split.removeprefix('test_')}"
    return grid([head, "published", "server", "difference"], lines)


def _cells(theirs: float | None, ours: float) -> list[str]:
    if theirs is None:
        return ["-", f"{100 * ours:.2f}", "-"]
    return [f"{100 * theirs:.2f}", f"{100 * ours:.2f}", f"{100 * (ours - theirs):+.2f}"]
