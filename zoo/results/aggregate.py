"""The one aggregate that every table, chart, ranking and Pareto front reads.

An entry holds the runs of one recipe with equal settings. Its value on an object is the mean over
seeds, its mean the unweighted mean over its objects; there is none while one of them is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.methods.admissibility import NO, YES

HERE, SERVER = "here", "server"  # where the masks were compared with the ground truth
_MACHINE = ["device", "processor", "threads"]
_HASH_DIGITS = 6  # of the hash that tells settings apart


@dataclass(frozen=True)
class Scores:
    """One metric of one entry on one split; values are fractions.

    Attributes:
        by_object: The value on each object where it is known, mean over seeds.
        by_seed: {object: {seed: value}} of the same objects; empty for published entries.
        undefined: Objects on which the metric has no value, such as SegF1 where no pixel is marked
            and none is defective. The mean leaves them out.
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
    def std(self) -> float | None:
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
class Cost:
    """Cost of one entry; None where no run measured it.

    Attributes:
        seconds: Fit, calibration and all splits of one object; mean over seeds, then over objects.
        latency_ms: One image, median; the same mean.
        peak_mb: Largest resident memory of any run's process, MB of 10**6 bytes.
        machines: Device, processor and threads of the runs, as one text each.
    """

    seconds: float | None = None
    latency_ms: float | None = None
    peak_mb: float | None = None
    machines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry:
    """One row of the leaderboard: the runs of one recipe with equal settings, or a published row.

    Attributes:
        name: Recipe of ours, with its settings where those of several stand beside each other; or
            the published name.
        method: Method of ours; for published entries the same as the name.
        rows: Its runs, one row per run and split; empty for published entries.
        published: The published metric by split; empty for ours.
        sources: Where published values were read, without repetition.
        is_second_hand: Whether any published value is a transcription by somebody else.
    """

    name: str
    method: str
    rows: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)
    published: Mapping[str, Scores] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    is_second_hand: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it was run here."""
        return not self.rows.empty

    @property
    def recipe(self) -> str:
        """The recipe without what tells its settings apart."""
        return str(self.rows["recipe"].iloc[0]) if self.is_ours else self.name

    def scores(self, split: str, metric: str = "segf1") -> Scores:
        """Return a metric on a split; empty where nothing of it was run or published."""
        if metric == "segf1":
            return self.segf1.get(split, Scores())
        return _scores(self.rows, split, metric) if self.is_ours else Scores()

    @cached_property
    def segf1(self) -> Mapping[str, Scores]:
        """SegF1 by split; of a published entry the metric that it was asked for."""
        return {split: _scores(self.rows, split) for split in self.splits} or self.published

    def mean(self, split: str) -> float | None:
        """Return the mean SegF1 over objects, None where it is not known."""
        return self.scores(split).mean

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Mean SegF1 on private and on private_mixed."""
        private, mixed = (self.mean(split) for split in PRIVATE_SPLITS)
        return private, mixed

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it was run on."""
        return tuple(self.rows["split"].dropna().unique()) if self.is_ours else ()

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that it was run on."""
        return tuple(sorted(set(self.rows["object"]))) if self.is_ours else ()

    @property
    def n_seeds(self) -> tuple[int, int] | tuple[None, None]:
        """The fewest and the most seeds of an object."""
        if not self.is_ours:
            return None, None
        counts = self.rows.groupby("object")["seed"].nunique()
        return int(counts.min()), int(counts.max())

    @property
    def admissible(self) -> str:
        """Whether VAND 4.0 admits its runs: yes if it admits all, the first no, or a dash."""
        known = self.rows["vand4_admissible"].dropna().astype(str)
        refused = known[known.str.startswith(NO)]
        if not refused.empty:
            return str(refused.iloc[0])
        return YES if len(known) == len(self.rows) else "-"

    @cached_property
    def cost(self) -> Cost:
        """What its runs cost; nothing is known of published entries."""
        if not self.is_ours:
            return Cost()
        runs = self.rows.drop_duplicates(["object", "seed"])
        machines = runs[_MACHINE].dropna(how="all").drop_duplicates()
        means = runs[["total_s", "p50_ms"]].astype(float).groupby(runs["object"]).mean().mean()
        return Cost(
            _known(means["total_s"]),
            _known(means["p50_ms"]),
            _known(runs["peak_rss_mb"].astype(float).max()),
            frozenset(" ".join(map(str, machine)) for machine in machines.to_numpy().tolist()),
        )

    @cached_property
    def evaluated_on(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """Objects with a hash of their images and their splits: entries that share all compare.

        An object that a split's mean leaves out is not of that split.
        """
        if not self.is_ours:
            return ()
        images = self.rows["data_fingerprint"].fillna("").astype(str)
        evaluated = []
        for (name, digest), part in self.rows.groupby(["object", images]):
            run = set(part["split"].dropna())
            splits = [
                s for s in sorted(run, key=split_order) if name not in self.segf1[s].undefined
            ]
            evaluated.append((str(name), str(digest), tuple(splits)))
        return tuple(evaluated)

    def only(self, mask: pd.Series) -> Entry | None:
        """Return the entry of a part of its rows, None for none."""
        return Entry(self.name, self.method, self.rows[mask]) if mask.any() else None


def entries(rows: pd.DataFrame) -> list[Entry]:
    """Return one entry per recipe and settings, in the order of the rows.

    Args:
        rows: One per run and split, see `zoo.results.rows`.
    """
    groups = rows.groupby([entry_names(rows), "method"], sort=False)
    return [Entry(str(name), str(method), group) for (name, method), group in groups]


def entry_names(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's entry: its recipe, with its settings if it has several.

    Args:
        rows: With the columns `recipe` and `settings_hash`.
    """
    settings = rows["settings_hash"].fillna("").astype(str)
    several = settings.groupby(rows["recipe"]).transform("nunique") > 1
    codes = settings.str[:_HASH_DIGITS].where(settings != "", "?")
    return rows["recipe"].astype(str).where(~several, rows["recipe"] + " [" + codes + "]")


def split_order(split: str) -> tuple[int, str]:
    """Return a key that puts the splits of MVTec AD 2 first, in their order."""
    return (TEST_SPLITS.index(split) if split in TEST_SPLITS else len(TEST_SPLITS), split)


def short_split(split: str) -> str:
    """Return the name of a split as tables have it."""
    return split.removeprefix("test_")


def splits_text(entry: Entry) -> str:
    """Return the splits that an entry was run on, object by object where they differ.

    Example: `public, private`, or `a: public, private; b: public`.
    """
    texts = {name: ", ".join(map(short_split, splits)) for name, _, splits in entry.evaluated_on}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{name}: {text or 'none'}" for name, text in texts.items())


def undefined_text(found: Sequence[Entry]) -> str:
    """Return the objects that means leave out, such as `c (private)`; empty if there is none."""
    undefined = [
        f"{name} ({short_split(split)})"
        for entry in found
        for split, scores in entry.segf1.items()
        for name in scores.undefined
    ]
    return ", ".join(dict.fromkeys(undefined))


def _scores(rows: pd.DataFrame, split: str, metric: str = "segf1") -> Scores:
    """Return one metric of an entry's rows; where the server scored some, those alone count."""
    part = rows[rows["split"] == split]
    if (part["scored_by"] == SERVER).any():
        part = part[part["scored_by"] == SERVER]
    here = set(part.loc[part["scored_by"] == HERE, "object"])
    by_seed: dict[str, dict[int, float]] = {}
    means = part[metric].astype(float).groupby([part["object"], part["seed"]]).mean().dropna()
    for (name, seed), value in means.items():
        by_seed.setdefault(name, {})[seed] = value
    unknown = sorted(set(rows["object"]) - set(by_seed))
    return Scores(
        {name: fmean(values.values()) for name, values in by_seed.items()},
        by_seed,
        tuple(name for name in unknown if name in here),
        tuple(name for name in unknown if name not in here),
    )


def _known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
