"""Limits that let so many false blobs through."""

from itertools import product

import numpy as np
import pytest
from normal_maps import (
    NORMALISATIONS,
    SHAPES,
    blobs_kept,
    clamped,
    drawn_maps,
    logits,
    lognormal,
    negative,
    smooth_maps,
    tiny_scores,
)

from zoo.postprocess import FalseAlarmBudget, Midway, Quantile
from zoo.postprocess.rules.budget import smallest_limit


@pytest.mark.parametrize(
    ("values", "allowed", "limit"),
    [
        ([5.0, 1.0, 3.0], 0, 5.0),
        ([5.0, 1.0, 3.0], 1.9, 3.0),
        ([5.0, 5.0, 3.0], 1, 5.0),
        ([5.0, 1.0, 3.0], 3, -np.inf),
        ([], 0, -np.inf),
        (np.arange(100.0), 0.29 * 100, 70.0),
    ],
)
def test_a_limit_lets_so_many_through(values, allowed, limit):
    assert smallest_limit(np.array(values), allowed) == limit


def test_a_limit_stands_a_hair_above_its_value_and_below_the_next():
    values = np.array([5.0, 1.0, 3.0])
    assert smallest_limit(values, 1, 0.1) == pytest.approx(3.1)
    assert smallest_limit(values, 1, 10.0) == pytest.approx(4.0)
    assert smallest_limit(values, 0, 10.0) == pytest.approx(15.0)
    assert smallest_limit(values, 1, values / 10) == pytest.approx(3.3)


@pytest.mark.parametrize("limit", ["peak", "mass", "area"])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_the_budget_holds_on_the_calibration_images(limit, normalisation):
    for per_image, shape, seed in product([0.0, 0.05, 0.5, 3.0], SHAPES, range(3)):
        shape = {"min_area_px": 0, **shape}
        rule = FalseAlarmBudget(per_image, 0.95, limit, normalisation, **shape)
        maps = smooth_maps(seed=seed)
        calibration = rule(maps)
        kept = blobs_kept(calibration, maps)
        assert kept <= per_image * len(maps)
        if limit != "area":  # areas are often equal, peaks and masses hardly ever
            assert kept == int(per_image * len(maps))


@pytest.mark.parametrize("shape", [{"close_px": 6}, {"fill_holes_px": 40}])
def test_no_blob_stays_where_none_may_whatever_closing_brings_along(shape):
    frame = np.full((12, 12), -100.0, np.float32)
    frame[2:9, 2] = frame[2:9, 8] = frame[2, 2:9] = frame[8, 2:9] = 1.5
    maps = [frame, frame + np.float32(0.25)]
    calibration = FalseAlarmBudget(0.0, 0.9, "mass", min_area_px=0, **shape)(maps)
    assert calibration.min_mass > 0
    assert blobs_kept(calibration, maps) == 0


@pytest.mark.parametrize("limit", ["peak", "mass", "area"])
@pytest.mark.parametrize("draw", [lognormal, logits, negative, clamped, tiny_scores])
def test_a_budget_that_all_normal_blobs_meet_limits_nothing(limit, draw):
    maps = drawn_maps(draw)
    generous = FalseAlarmBudget(1e6, 0.95, limit, min_area_px=3)(maps)
    assert blobs_kept(generous, maps) == blobs_kept(Quantile(0.95, min_area_px=3)(maps), maps)


def test_a_generous_budget_keeps_blobs_of_negative_scores():
    maps = drawn_maps(negative)
    calibration = Midway(0.95, 1.5, 1e6, "none", min_area_px=0)(maps)
    assert calibration.seed_threshold == calibration.threshold < 0
    assert blobs_kept(calibration, maps) > 0


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("limit", ["peak", "mass"])
@pytest.mark.parametrize("seed", range(3))
def test_rounding_does_not_mark_the_blob_that_set_the_limit(limit, normalisation, seed):
    maps = smooth_maps(seed=seed)
    calibration = FalseAlarmBudget(0.5, 0.95, limit, normalisation)(maps)
    generator = np.random.default_rng(seed)
    for _ in range(5):  # as other runtimes compute them
        noise = [1e-6 * np.ptp(each) * generator.uniform(-1, 1, each.shape) for each in maps]
        others = [(each + by).astype(np.float32) for each, by in zip(maps, noise, strict=True)]
        assert blobs_kept(calibration, others) == blobs_kept(calibration, maps)
