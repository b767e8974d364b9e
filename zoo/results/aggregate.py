"""What runs come to: the one aggregate that every table, chart, ranking and Pareto front reads.

A row holds the runs of one recipe with equal settings. Its value on an object is the mean over
seeds, its mean the unweighted mean over its objects, and there is none while one is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.results.cost import Cost, cost_of

HERE, SERVER = "here", "server"  # who compared the masks with the truth
_DIGITS = 6  # of the hash that tells settings apart


@dataclass(frozen=True)
class Scores:
    """One metric of one row on one split; values are fractions.

    Attributes:
        by_object: The value on each object where it is known, mean over seeds.
        by_seed: {object: {seed: value}} of the same objects; empty for published rows.
        undefined: Objects on which the metric has no value, such as SegF1 where no pixel is marked
            and none is to be. They are left out of the mean.
        missing: Objects whose value is not known, and without which there is no mean.
        stated: The published mean, where there is one.
    """

    by_object: Mapping[str, float] = field(default_factory=dict)
    by_seed: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    undefined: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    stated: float | None = None

    @property
    def mean(self) -> float | None:
        """The published mean where there is one, else that over objects; None if one is missing."""
        if self.stated is not None:
            return self.stated
        return fmean(self.by_object.values()) if self.by_object and not self.missing else None

    @property
    def spread(self) -> float | None:
        """Standard deviation (n - 1) of the mean, over the seeds that every object has.

        None with fewer than two of them.
        """
        if self.mean is None or not self.by_seed:
            return None
        seeds = set.intersection(*(set(values) for values in self.by_seed.values()))
        means = [fmean(values[seed] for values in self.by_seed.values()) for seed in sorted(seeds)]
        return stdev(means) if len(means) > 1 else None

    @property
    def count(self) -> str:
        """How many objects are known of how many, such as `2 of 8`."""
        known = len(self.by_object) + len(self.undefined)
        return f"{known} of {known + len(self.missing)}"


@dataclass(frozen=True)
class Standing:
    """One row of a table: what runs of one recipe with equal settings came to, or was published.

    Attributes:
        name: Recipe of ours, with its settings where those of several stand beside each other; or
            the published name.
        method: Method of ours; of published rows the same as the name.
        segf1: SegF1 by split.
        sources: Where published values were read.
        cost: What it cost here; nothing is known of published rows.
        rows: Its runs, one row per run and split; None for published rows.
    """

    name: str
    method: str
    segf1: Mapping[str, Scores]
    sources: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    rows: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def is_ours(self) -> bool:
        """Whether it was run here."""
        return self.rows is not None

    @property
    def recipe(self) -> str:
        """The recipe without what tells its settings apart."""
        return self.name if self.rows is None else str(self.rows["recipe"].iloc[0])

    def scores(self, split: str, metric: str = "segf1") -> Scores:
        """Return a metric on a split; empty where nothing of it was run or published."""
        if metric == "segf1" or self.rows is None:
            return self.segf1.get(split, Scores())
        return scores_of(self.rows, split, metric)

    def mean(self, split: str) -> float | None:
        """Return the mean SegF1 over objects, None where it is not known."""
        return self.scores(split).mean

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Mean SegF1 on private and on private_mixed."""
        private, mixed = (self.mean(split) for split in PRIVATE_SPLITS)
        return private, mixed

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that it was run on."""
        return () if self.rows is None else tuple(sorted(set(self.rows["object"])))

    @property
    def seeds(self) -> str:
        """How many seeds an object has, such as `3`, or `1-3` where they differ."""
        if self.rows is None:
            return "-"
        counts = self.rows.groupby("object")["seed"].nunique()
        return "-".join(map(str, dict.fromkeys((counts.min(), counts.max()))))

    @cached_property
    def compares(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """Objects with their images and the splits of each: only rows that share all of it compare.

        An object that a split's mean leaves out is not of that split.
        """
        found = []
        if self.rows is not None:
            for (name, images), part in self.rows.groupby(
                ["object", self.rows["data_fingerprint"].fillna("").astype(str)]
            ):
                run = set(part["split"])
                has = [s for s in TEST_SPLITS if s in run and name not in self.scores(s).undefined]
                found.append((str(name), str(images), tuple(has)))
        return tuple(found)

    def on(self, chosen: pd.Series) -> Standing | None:
        """Return what a part of its rows comes to, None for none; `chosen` is a mask of them."""
        return standing_of(self.name, self.rows[chosen]) if chosen.any() else None


def standings(rows: pd.DataFrame) -> list[Standing]:
    """Return what runs come to, one standing per recipe and settings, in the order of the rows.

    Args:
        rows: One per run and split, see `zoo.results.rows`.
    """
    names = row_names(rows)
    groups = rows.groupby([names, "method"], sort=False)
    return [standing_of(str(name), group) for (name, _), group in groups]


def row_names(rows: pd.DataFrame) -> pd.Series:
    """Return the name of the row that each run belongs to: its recipe, and its settings if need be.

    Args:
        rows: With the columns `recipe` and `settings_hash`.
    """
    settings = rows["settings_hash"].fillna("").astype(str)
    several = settings.groupby(rows["recipe"]).transform("nunique") > 1
    codes = settings.str[:_DIGITS].where(settings != "", "?")
    return rows["recipe"].astype(str).where(~several, rows["recipe"] + " [" + codes + "]")


def standing_of(name: str, rows: pd.DataFrame) -> Standing:
    """Return what rows of one recipe and equal settings come to."""
    segf1 = {str(split): scores_of(rows, str(split)) for split in dict.fromkeys(rows["split"])}
    return Standing(name, str(rows["method"].iloc[0]), segf1, cost=cost_of(rows), rows=rows)


def scores_of(rows: pd.DataFrame, split: str, metric: str = "segf1") -> Scores:
    """Return one metric of rows of one recipe and equal settings on one split.

    Where the server scored some of them, those alone count.

    Args:
        rows: Of all splits; every object among them must have a value.
        split: The split.
        metric: A column.
    """
    part = rows[rows["split"] == split]
    if (part["scored_by"] == SERVER).any():
        part = part[part["scored_by"] == SERVER]
    by_seed: dict[str, dict[int, float]] = {}
    undefined, missing = [], []
    for name in sorted(set(rows["object"])):
        mine = part[part["object"] == name]
        values = mine[metric].astype(float).groupby(mine["seed"]).mean().dropna().to_dict()
        if values:
            by_seed[name] = values
        else:
            (undefined if (mine["scored_by"] == HERE).any() else missing).append(name)
    means = {name: fmean(values.values()) for name, values in by_seed.items()}
    return Scores(means, by_seed, tuple(undefined), tuple(missing))


def splits_text(standing: Standing) -> str:
    """Return the splits that a standing was run on, object by object where they differ.

    Example: `public, private`, or `a: public, private; b: public`.
    """
    of = {name: ", ".join(map(_short, splits)) for name, _, splits in standing.compares}
    if len(set(of.values())) == 1:
        return next(iter(of.values()))
    return "; ".join(f"{name}: {splits or 'none'}" for name, splits in of.items())


def _short(split: str) -> str:
    return split.removeprefix("test_")


def undefined_text(found: Sequence[Standing]) -> str:
    """Return the objects that means leave out, such as `c (private)`; empty if there is none."""
    said = {
        f"{name} ({_short(split)})": None
        for standing in found
        for split, scores in standing.segf1.items()
        for name in scores.undefined
    }
    return ", ".join(said)
