"""Means over methods and objects of the calibration study, with joint intervals."""

from __future__ import annotations

import numpy as np

from zoo.metrics.bootstrap import interval

_FIGURES = ("segf1", "oracle_segf1", "efficiency", "false_blobs_per_good_image")
_LEAST_VALIDATION, _LEAST_ORACLE = 10, 0.2


def means(rows: list[dict]) -> list[dict]:
    """Return one row per split and rule: means over all methods and objects.

    Args:
        rows: Rows of the study with their `resampled` efficiencies.
    """
    found: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        found.setdefault((row["split"], row["rule"]), []).append(row)
    return [
        {"recipe": "mean", "object": "mean", "split": split, "rule": rule, **_mean(same)}
        for (split, rule), same in found.items()
    ]


def _mean(rows: list[dict]) -> dict:
    low, high = interval(np.nanmean([row["resampled"] for row in rows], axis=0)) or (np.nan, np.nan)
    fair = [
        row["efficiency"]
        for row in rows
        if row["n_validation"] >= _LEAST_VALIDATION and row["oracle_segf1"] >= _LEAST_ORACLE
    ]
    return {
        **{name: float(np.nanmean([row[name] for row in rows])) for name in _FIGURES},
        "efficiency_low": low,
        "efficiency_high": high,
        "worst": min(fair, default=np.nan),
        "n_pairs": len(rows),
    }
