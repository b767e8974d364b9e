"""SegF1, oracle, efficiency and intervals over physical items, for many calibrations at once."""

from __future__ import annotations

import numpy as np
from study_maps import StudyRun, truth

from zoo.metrics import PixelScores
from zoo.metrics.bootstrap import f1_of, interval, resampled_f1
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.postprocess.score_maps import to_native


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
    # Without a manifest each image is an item of its own.
    groups = [sample.item or index for index, sample in enumerate(samples)]
    best = float(f1_of(oracle.sum(0)))
    possible = resampled_f1(groups, oracle)
    possible[possible == 0] = np.nan  # nothing was there to find
    results = {}
    for name, each in counts.items():
        resampled = resampled_f1(groups, each) / possible
        low, high = interval(resampled) or (np.nan, np.nan)
        results[name] = {
            "segf1": float(f1_of(each.sum(0))),
            "oracle_segf1": best,
            "efficiency": float(f1_of(each.sum(0))) / best,
            "efficiency_low": low,
            "efficiency_high": high,
            "false_blobs_per_good_image": blobs[name] / n_good if n_good else np.nan,
            "n_images": len(samples),
            "n_validation": calibrations[name].n_images,
            "normalisation": calibrations[name].normalisation,
            "resampled": resampled,
        }
    return results


def _counts(mask: np.ndarray, right: np.ndarray) -> tuple[int, int, int]:
    hits = int(np.count_nonzero(mask & right))
    return hits, int(np.count_nonzero(mask)) - hits, int(np.count_nonzero(right)) - hits
