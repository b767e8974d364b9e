"""SegF1, oracle, efficiency and intervals over physical items, for many calibrations at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from study_maps import StudyRun, truth

from zoo.metrics import PixelScores
from zoo.post.calibration import Calibration
from zoo.post.finish import finish
from zoo.post.resize import to_native

_RESAMPLES = 1000


def judge(run: StudyRun, split: str, calibrations: dict[str, Calibration]) -> dict[str, dict]:
    """Return the figures of each calibration on one split.

    Args:
        run: The run whose maps are judged.
        split: Split of the maps.
        calibrations: By the name of their rule.

    Returns:
        Figures by the name of the rule; `resampled` holds the efficiency in each resample of the
        physical items, (resamples,). The resamples of an object and split are the same for all
        methods and rules, so that means over methods keep what these have in common.
    """
    maps, samples = run.maps(split), run.listed(split)
    sizes = [tuple(entry["native_size"]) for entry in maps.entries]
    pixels = PixelScores()
    for score_map, sample, size in zip(maps, samples, sizes, strict=True):
        pixels.update(score_map, truth(sample, size))
    oracle = np.zeros((len(samples), 3))  # true positives, false positives, misses
    counts = {name: np.zeros((len(samples), 3)) for name in calibrations}
    blobs = dict.fromkeys(calibrations, 0)
    n_good = 0
    for index, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
        score_map, right = maps.read(index), truth(sample, size)
        n_good += not right.any()
        oracle[index] = _counts(to_native(score_map, size) >= pixels.oracle_threshold, right)
        for name, calibration in calibrations.items():
            done = finish(score_map, size, calibration)
            counts[name][index] = _counts(done.mask, right)
            blobs[name] += 0 if right.any() else len(done.blobs)
    draws = _draws(_groups(run, [sample.image_path for sample in samples]))
    best = float(_f1(oracle.sum(0)))
    possible = _f1(draws @ oracle)
    possible[possible == 0] = np.nan  # nothing was there to find
    results = {}
    for name, each in counts.items():
        resampled = _f1(draws @ each) / possible
        low, high = interval(resampled)
        results[name] = {
            "segf1": float(_f1(each.sum(0))),
            "oracle_segf1": best,
            "efficiency": float(_f1(each.sum(0))) / best,
            "efficiency_low": low,
            "efficiency_high": high,
            "false_blobs_per_good_image": blobs[name] / n_good if n_good else np.nan,
            "n_images": len(samples),
            "n_validation": calibrations[name].n_images,
            "normalisation": calibrations[name].normalisation,
            "resampled": resampled,
        }
    return results


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of resampled figures; resamples without any defect do not count."""
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def _counts(mask: np.ndarray, right: np.ndarray) -> tuple[int, int, int]:
    hits = int(np.count_nonzero(mask & right))
    return hits, int(np.count_nonzero(mask)) - hits, int(np.count_nonzero(right)) - hits


def _f1(counts: np.ndarray) -> np.ndarray:
    """Return F1 of (..., 3) sums of true positives, false positives and misses; NaN of zeros."""
    hits, wrong, missed = np.moveaxis(np.asarray(counts, float), -1, 0)
    pixels = 2 * hits + wrong + missed
    return np.divide(2 * hits, pixels, out=np.full_like(pixels, np.nan), where=pixels > 0)


def _groups(run: StudyRun, paths: list[Path]) -> np.ndarray:
    """Return the physical item of each image, as numbers; without a manifest each is its own."""
    manifest = run.root / "manifest.csv"
    if not manifest.is_file():
        return np.arange(len(paths))
    table = pd.read_csv(manifest, dtype=str)
    own = table[table["object"] == run.object_name]
    group_of = dict(zip(own["split"] + "/" + own["file"], own["group"], strict=True))
    folder = run.root / run.object_name
    return pd.factorize(np.array([group_of[p.relative_to(folder).as_posix()] for p in paths]))[0]


def _draws(groups: np.ndarray) -> np.ndarray:
    """Return how often each image is in each resample of the items, (resamples, images)."""
    n_groups = groups.max() + 1
    generator = np.random.default_rng(0)
    picked = generator.integers(0, n_groups, (_RESAMPLES, n_groups))
    times = np.stack([np.bincount(row, minlength=n_groups) for row in picked])
    return times[:, groups].astype(float)
