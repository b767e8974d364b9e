"""The rule between a quantile and mean + 3 deviations."""

import numpy as np
import pytest
from normal_maps import NORMALISATIONS, SHAPES, blobs_kept, smooth_maps

from zoo.postprocess import Midway, SyntheticDefects
from zoo.postprocess.background import level_and_spread


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per_image", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(shape) or "plain")
def test_midway_lies_between_its_levels_and_keeps_its_budget(normalisation, per_image, shape):
    shape = {"min_area_px": 0, **shape}
    maps = smooth_maps()
    q, k = 0.99, 1.5
    calibration = Midway(q, k, per_image, normalisation, **shape)(maps)
    floor = calibration.spread_floor
    scores = np.stack([_normalised(each, normalisation, floor) for each in maps])
    levels = np.quantile(scores, q), scores.mean() + k * scores.std()
    assert calibration.threshold == pytest.approx(np.mean(levels), rel=3e-4)
    assert calibration.seed_threshold >= calibration.threshold
    assert blobs_kept(calibration, maps) <= per_image * len(maps)


def _normalised(score_map, normalisation, floor):
    level, spread = level_and_spread(score_map)
    divisor = {"none": 1, "median": 1, "robust": max(spread, floor)}[normalisation]
    return (score_map.astype(np.float64) - (0 if normalisation == "none" else level)) / divisor


def test_without_defects_synthetic_defects_are_midway():
    rule = SyntheticDefects(normalisation="robust", min_area_px=4, border_px=5)
    assert rule.map_only() == Midway(normalisation="robust", min_area_px=4, border_px=5)
