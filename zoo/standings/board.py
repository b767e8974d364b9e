"""The board of one data set: every method with its means and objects, ranked among those shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from zoo.data.layout import PRIVATE_SPLITS, TEST_SPLITS
from zoo.pareto import pareto_front
from zoo.standings.cost import Cost, cost_of
from zoo.standings.published import DATA_SET, Published, object_names, published
from zoo.standings.ranks import drop, mean_of, places, r_final

HERE, SERVER = "here", "server"  # who compared the masks with the truth


@dataclass(frozen=True)
class Standing:
    """One line of a board.

    Attributes:
        name: Recipe of ours, or the published name.
        method: Method of ours; of published rows the same as the name.
        is_ours: Whether it was run here.
        segf1: {split: {object: SegF1 in [0, 1]}}; only splits whose every object is known.
        sources: Where published values were read.
        cost: What it cost here; nothing is known of published rows.
    """

    name: str
    method: str
    is_ours: bool
    segf1: dict[str, dict[str, float]]
    sources: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)

    def mean(self, split: str) -> float | None:
        """Return the unweighted mean over objects, None where it is not known."""
        return mean_of(self.segf1.get(split, {}))

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Mean SegF1 on private and on private_mixed."""
        private, mixed = (self.mean(split) for split in PRIVATE_SPLITS)
        return private, mixed


@dataclass(frozen=True)
class Board:
    """The standings of one data set.

    Attributes:
        data_set: Name of the data set, or its objects.
        objects: Names of its objects.
        standings: Ours first, then published ones.
    """

    data_set: str
    objects: tuple[str, ...]
    standings: list[Standing] = field(default_factory=list)

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
                known = standing.segf1.get(split, {})
                row |= {f"segf1_{short}:{each}": known.get(each) for each in self.objects}
            rows.append(row | {"source": "; ".join(standing.sources) or None})
        return rows


def boards(rows: pd.DataFrame) -> list[Board]:
    """Return a board per data set that was run here, and last that of the published rows.

    Only those of our rows stand beside published ones whose private numbers came from the benchmark
    server, for all of its objects: nobody else has that truth.
    """
    found = [Board(name, objects, ours(part)) for name, objects, part in data_sets(rows)]
    return [*found, published_board(rows)]


def published_board(rows: pd.DataFrame) -> Board:
    """Return the published rows, with those of ours that the server scored."""
    scored = rows[rows["scored_by"] == SERVER]
    mine = [each for each in ours(scored) if None not in each.means]
    # A published mean without both splits is nobody to be ranked with.
    theirs = [_standing(each) for each in published("SegF1")]
    return Board(DATA_SET, object_names(), [*mine, *theirs])


def data_sets(rows: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...], pd.DataFrame]]:
    """Yield name, objects and rows of every data set: recipes that were run on the same images."""
    images = rows["object"] + " " + rows["data_fingerprint"].fillna("").astype(str)
    whose = {name: tuple(sorted(set(group))) for name, group in images.groupby(rows["recipe"])}
    for key in dict.fromkeys(whose.values()):
        part = rows[rows["recipe"].map(whose) == key]
        objects = tuple(sorted(part["object"].unique()))
        withheld = part["split"].isin(PRIVATE_SPLITS) & (part["scored_by"] == HERE)
        is_benchmark = objects == object_names() and not withheld.any()
        yield DATA_SET if is_benchmark else ", ".join(objects), objects, part


def ours(rows: pd.DataFrame) -> list[Standing]:
    """Return our rows as standings; seeds are averaged within an object."""
    found = []
    for (recipe, method), group in rows.groupby(["recipe", "method"], sort=False):
        segf1 = {}
        for split, part in group.groupby("split"):
            if part["segf1"].notna().all():
                segf1[str(split)] = part.groupby("object")["segf1"].mean().to_dict()
        found.append(Standing(str(recipe), str(method), True, segf1, cost=cost_of(group)))
    return found


def _standing(entry: Published) -> Standing:
    return Standing(entry.method, entry.method, False, entry.scores, entry.sources)
