"""The leaderboard of one data set: entries ranked as the VAND challenges do (arXiv 2509.17615).

R_final is the mean of two ranks, by the mean SegF1 on private and on private_mixed. Of equal ones
the smaller difference between the two in points wins. The drop is relative and computed on the
means, never the mean of the objects' drops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.results.aggregate import HERE, SERVER, Entry, entries, splits_text
from zoo.results.published import DATA_SET, object_names, published
from zoo.utils.pareto import pareto_front

Means = Sequence[tuple[float | None, float | None]]  # on private and on private_mixed


def drop(private: float | None, mixed: float | None) -> float | None:
    """Return the relative loss (private - mixed) / private; None where it is not known.

    The challenge paper prints its absolute value; a gain under mixed light is negative here.

    Example:
        >>> round(drop(0.5381, 0.5143), 4)
        0.0442
    """
    if not private or pd.isna(private) or mixed is None or pd.isna(mixed):
        return None
    return (private - mixed) / private


def r_final(means: Means) -> list[float | None]:
    """Return R_final of every pair of means among those given.

    Equal means share the better rank. An entry that lacks one of the two has no rank.
    """
    frame = pd.DataFrame(list(means), columns=["private", "mixed"], dtype=float)
    ranks = frame.dropna().rank(ascending=False, method="min").mean(axis=1)
    return [None if pd.isna(rank) else float(rank) for rank in ranks.reindex(frame.index)]


def places(means: Means) -> list[int | None]:
    """Return the place of every pair of means: by R_final, then by the smaller gap in points."""
    keys = [
        None
        if rank is None or private is None or mixed is None
        else (rank, round(abs(private - mixed), 12))
        for rank, (private, mixed) in zip(r_final(means), means, strict=True)
    ]
    ordered = sorted(key for key in keys if key is not None)
    return [None if key is None else ordered.index(key) + 1 for key in keys]


@dataclass(frozen=True)
class Leaderboard:
    """The entries of one data set.

    Attributes:
        data_set: Name of the data set, or its objects.
        objects: Names of its objects.
        entries: Ours first, then published ones.
        splits: The splits that ours were run on, in words.
        in_part: Beside published entries: ours that the server scored on some objects only, with
            their count. They have no place among means of all objects.
    """

    data_set: str
    objects: tuple[str, ...]
    entries: Sequence[Entry]
    splits: str = ""
    in_part: tuple[tuple[str, str], ...] = ()

    @property
    def has_ours(self) -> bool:
        """Whether an entry was run here."""
        return any(entry.is_ours for entry in self.entries)

    @property
    def accuracy_split(self) -> str:
        """The split whose SegF1 is set against cost: private if anybody's is known, else public."""
        private, public = PRIVATE_SPLITS[0], TEST_SPLITS[0]
        is_known = any(entry.mean(private) is not None for entry in self.entries)
        return private if is_known else public

    @property
    def machines(self) -> frozenset[str]:
        """The machines that the costs were measured on."""
        return frozenset().union(*(entry.cost.machines for entry in self.entries))

    def fronts(self) -> dict[str, tuple[bool | None, bool | None]]:
        """Return for every name whether no other has more SegF1 for less ms, and for less MB.

        SegF1 is that of `accuracy_split`. Without two entries to compare both are None, and so is
        the first where milliseconds are those of several machines.
        """
        names = [entry.name for entry in self.entries]
        costs = [(entry.cost.latency_ms, entry.cost.peak_mb) for entry in self.entries]
        if sum(cost != (None, None) for cost in costs) < 2:
            return dict.fromkeys(names, (None, None))
        scores = [entry.mean(self.accuracy_split) for entry in self.entries]
        by_ms, by_mb = (
            pareto_front(list(zip(scores, column, strict=True)), larger_is_better=(True, False))
            for column in zip(*costs, strict=True)
        )
        compares = len(self.machines) < 2
        return {
            name: (ms if compares else None, mb)
            for name, ms, mb in zip(names, by_ms, by_mb, strict=True)
        }

    def ranked(self) -> Iterator[tuple[int | None, float | None, Entry]]:
        """Yield place, R_final and entry, best first; those that cannot be ranked come last."""
        means = [entry.means for entry in self.entries]
        ranked = list(zip(places(means), r_final(means), self.entries, strict=True))
        yield from sorted(ranked, key=lambda row: (row[0] is None, row[0] or 0))


def leaderboards(rows: pd.DataFrame) -> tuple[list[Leaderboard], Leaderboard]:
    """Return a leaderboard for all entries that compare, and that of the published entries.

    Entries compare if they were run on the same images and splits of the same objects. Only those
    of ours stand beside published ones whose private numbers came from the benchmark server, for
    all of its objects: only the server has that ground truth.
    """
    ours = entries(rows)
    alike: dict[object, list[Entry]] = {}
    for entry in ours:
        alike.setdefault(entry.evaluated_on, []).append(entry)
    return [_leaderboard(group) for group in alike.values()], _published(ours)


def _leaderboard(ours: Sequence[Entry]) -> Leaderboard:
    first = ours[0]
    rows = pd.concat([entry.rows for entry in ours])
    has_truth = (rows["split"].isin(PRIVATE_SPLITS) & (rows["scored_by"] == HERE)).any()
    is_benchmark = first.objects == object_names() and not has_truth
    name = DATA_SET if is_benchmark else ", ".join(first.objects)
    return Leaderboard(name, first.objects, ours, splits_text(first))


def _published(ours: Sequence[Entry]) -> Leaderboard:
    """Return the published entries, with those of ours that the server scored on all objects."""
    whole, in_part = [], []
    for entry in ours:
        scored = entry.only(entry.rows["scored_by"] == SERVER)
        if scored is None:
            continue
        count = min(len(scored.scores(split).by_object) for split in PRIVATE_SPLITS)
        if count == len(object_names()):
            whole.append(scored)
        else:
            in_part.append((entry.name, f"{count} of {len(object_names())} objects"))
    theirs = published("SegF1")
    return Leaderboard(DATA_SET, object_names(), [*whole, *theirs], in_part=tuple(in_part))
