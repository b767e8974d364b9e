"""The board of one data set: every row with its means and objects, ranked among those shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.results.aggregate import HERE, SERVER, Scores, Standing, splits_text, standings
from zoo.results.published import DATA_SET, Published, object_names, published
from zoo.results.ranks import drop, places, r_final
from zoo.utils.pareto import pareto_front


@dataclass(frozen=True)
class Board:
    """The standings of one data set.

    Attributes:
        data_set: Name of the data set, or its objects.
        objects: Names of its objects.
        standings: Ours first, then published ones.
        splits: The splits that ours were run on, in words.
        in_part: Of published rows: ours that the server scored on some objects only, with
            their count. They have no place among means of all objects.
    """

    data_set: str
    objects: tuple[str, ...]
    standings: list[Standing] = field(default_factory=list)
    splits: str = ""
    in_part: tuple[tuple[str, str], ...] = ()

    @property
    def accuracy_split(self) -> str:
        """The split whose SegF1 is set against cost: private if anybody's is known, else public."""
        private, public = PRIVATE_SPLITS[0], TEST_SPLITS[0]
        is_known = any(each.mean(private) is not None for each in self.standings)
        return private if is_known else public

    @property
    def machines(self) -> frozenset[str]:
        """The machines that the costs of this board were measured on."""
        return frozenset().union(*(each.cost.machines for each in self.standings))

    def fronts(self) -> dict[str, tuple[bool | None, bool | None]]:
        """Return for every name whether nobody has more SegF1 for less ms, and for less MB.

        SegF1 is that of `accuracy_split`. Without two standings to compare both are None, and so is
        the first where milliseconds are those of several machines.
        """
        costs = [(each.cost.latency_ms, each.cost.peak_mb) for each in self.standings]
        names = [each.name for each in self.standings]
        if sum(cost != (None, None) for cost in costs) < 2:
            return dict.fromkeys(names, (None, None))
        scores = [each.mean(self.accuracy_split) for each in self.standings]
        by_ms, by_mb = (
            pareto_front(list(zip(scores, column, strict=True)), larger_is_better=(True, False))
            for column in zip(*costs, strict=True)
        )
        if len(self.machines) > 1:
            by_ms = [None] * len(names)
        return dict(zip(names, zip(by_ms, by_mb, strict=True), strict=True))

    def ranked(self) -> Iterator[tuple[int | None, float | None, Standing]]:
        """Yield place, R_final and standing, best first; who cannot be ranked comes last."""
        means = [standing.means for standing in self.standings]
        found = list(zip(places(means), r_final(means), self.standings, strict=True))
        yield from sorted(found, key=lambda entry: (entry[0] is None, entry[0] or 0))

    def records(self) -> list[dict[str, Any]]:
        """Return the board as plain rows, one per standing."""
        rows = []
        fronts = self.fronts()
        for place, rank, standing in self.ranked():
            private, mixed = standing.means
            row: dict[str, Any] = {
                "data_set": self.data_set,
                "splits": self.splits or None,
                "place": place,
                "r_final": rank,
                "name": standing.name,
                "method": standing.method,
                "by": "zoo" if standing.is_ours else "published",
                "segf1_public": standing.mean("test_public"),
                "segf1_private": private,
                "segf1_private_mixed": mixed,
                "drop": drop(private, mixed),
                **standing.cost.record(),
                "pareto_ms": fronts[standing.name][0],
                "pareto_mb": fronts[standing.name][1],
            }
            for split in TEST_SPLITS:
                short = split.removeprefix("test_")
                known = standing.scores(split).by_object
                row |= {f"segf1_{short}:{each}": known.get(each) for each in self.objects}
            rows.append(row | {"source": "; ".join(standing.sources) or None})
        return rows


def boards(rows: pd.DataFrame) -> list[Board]:
    """Return a board for all rows that compare, and last that of the published rows.

    Rows compare if they were run on the same images and splits of the same objects. Only those of
    ours stand beside published ones whose private numbers came from the benchmark server, for all
    of its objects: nobody else has that truth.
    """
    mine = standings(rows)
    alike: dict[object, list[Standing]] = {}
    for standing in mine:
        alike.setdefault(standing.compares, []).append(standing)
    return [*map(_board, alike.values()), published_board(mine)]


def published_board(mine: Sequence[Standing]) -> Board:
    """Return the published rows, with those of ours that the server scored as a whole."""
    whole, in_part = [], []
    for each in mine:
        scored = each.on(each.rows["scored_by"] == SERVER)
        if scored is None:
            continue
        count = min(len(scored.scores(split).by_object) for split in PRIVATE_SPLITS)
        if count == len(object_names()):
            whole.append(scored)
        else:
            in_part.append((each.name, f"{count} of {len(object_names())} objects"))
    theirs = [_standing(each) for each in published("SegF1")]
    return Board(DATA_SET, object_names(), [*whole, *theirs], in_part=tuple(in_part))


def _board(mine: Sequence[Standing]) -> Board:
    """Return the board of rows that compare."""
    first = mine[0]
    withheld = [each.rows["split"].isin(PRIVATE_SPLITS) for each in mine]
    here = [each.rows["scored_by"] == HERE for each in mine]
    has_truth = any((a & b).any() for a, b in zip(withheld, here, strict=True))
    is_benchmark = first.objects == object_names() and not has_truth
    name = DATA_SET if is_benchmark else ", ".join(first.objects)
    return Board(name, first.objects, list(mine), splits_text(first))


def _standing(entry: Published) -> Standing:
    segf1 = {
        split: Scores({k: v for k, v in values.items() if k != "mean"}, stated=values.get("mean"))
        for split, values in entry.scores.items()
    }
    return Standing(entry.method, entry.method, segf1, entry.sources)
