"""Means, drops and ranks as the VAND challenges compute them (arXiv 2509.17615).

R_final is the mean of two ranks, by the mean SegF1 on private and on private_mixed. Of equal ones
the smaller difference between the two in points wins. The drop is relative and computed on the
means, never the mean of the objects' drops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd


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


def r_final(means: Sequence[tuple[float | None, float | None]]) -> list[float | None]:
    """Return R_final of every pair of means (private, private_mixed) among those given.

    Equal means share the better rank. Who lacks one of the two has no rank.
    """
    frame = pd.DataFrame(list(means), columns=["private", "mixed"], dtype=float)
    whole = frame.dropna()
    ranks = whole.rank(ascending=False, method="min").mean(axis=1)
    return [None if pd.isna(rank) else float(rank) for rank in ranks.reindex(frame.index)]


def places(means: Sequence[tuple[float | None, float | None]]) -> list[int | None]:
    """Return the place of every pair of means: by R_final, then by the smaller gap in points."""
    ranks = r_final(means)
    keys = [
        (rank, round(abs(private - mixed), 12)) if rank is not None else None
        for rank, (private, mixed) in zip(ranks, means, strict=True)
    ]
    ordered = sorted(key for key in keys if key is not None)
    return [None if key is None else ordered.index(key) + 1 for key in keys]


def mean_of(values: Mapping[str, float]) -> float | None:
    """Return the published mean where there is one, else the unweighted mean over objects."""
    if "mean" in values:
        return values["mean"]
    return sum(values.values()) / len(values) if values else None
