"""Rules that set one level: quantile, mean and deviations, maximum."""

from dataclasses import replace

import numpy as np
import pytest
from normal_maps import (
    DRAWS,
    ODD_DRAWS,
    blobs_kept,
    distances,
    drawn_maps,
    far_away,
    logits,
    lognormal,
    negative,
    smooth_maps,
    tiny_scores,
)

from zoo.postprocess import Maximum, MeanStd, Midway, Quantile
from zoo.postprocess.background import level_and_spread
from zoo.postprocess.finish import finish
from zoo.utils.errors import ZooError


@pytest.mark.parametrize("draw", [lognormal, distances, logits, tiny_scores])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.995, 0.999, 1.0])
def test_the_threshold_is_the_quantile(draw, q):
    maps = drawn_maps(draw)
    exact = np.quantile(np.stack(maps), q, method="inverted_cdf")
    assert Quantile(q).__call__(maps).threshold == pytest.approx(exact, rel=3e-4)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.999, 1.0])
def test_at_most_the_rest_of_the_normal_pixels_is_marked(draw, q):
    maps = drawn_maps(draw)
    calibration = replace(Quantile(q)(maps), min_area_px=0)
    marked = sum(finish(score_map, (40, 50), calibration).mask.sum() for score_map in maps)
    assert marked <= (1 - q) * 6 * 40 * 50 + 1e-6


def test_the_factor_scales_the_threshold():
    maps = drawn_maps(lognormal)
    assert Quantile(0.9, factor=1.5)(maps).threshold == 1.5 * Quantile(0.9)(maps).threshold


def test_the_order_of_images_does_not_matter():
    maps = drawn_maps(lognormal)
    assert Quantile()(maps) == Quantile()(maps[::-1])


def test_maps_of_several_sizes_and_a_generator_are_taken():
    maps = [np.full((2, 2), 5.0, np.float32), np.ones((10, 10), np.float32)]
    calibration = Quantile(0.9)(score_map for score_map in maps)
    assert calibration.threshold == pytest.approx(1, rel=3e-4)
    assert (calibration.n_images, calibration.n_pixels) == (2, 104)


def test_no_image_is_one_line():
    with pytest.raises(ZooError, match="no normal image to calibrate on"):
        Quantile()([])


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ZooError, match="NaN"):
        Quantile()([np.array([[0.0, np.nan]], np.float32)])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": 0.0}, r"q is 0.0.*\(0, 1\]"),
        ({"q": 1.01}, "q is 1.01"),
        ({"q": float("nan")}, "q is nan"),
        ({"factor": 0}, "factor is 0"),
        ({"factor": -1.0}, "factor is -1.0"),
        ({"factor": float("nan")}, "factor is nan"),
        ({"min_area_px": -1}, "min_area_px is -1"),
    ],
)
def test_parameters_are_checked_where_they_are_written(parameters, message):
    with pytest.raises(ZooError, match=message):
        Quantile(**parameters)


@pytest.mark.parametrize("draw", [lognormal, distances, logits, tiny_scores, far_away, negative])
@pytest.mark.parametrize("k", [-1.0, 0.0, 3.0])
def test_mean_and_deviations_are_numpys(draw, k):
    maps = drawn_maps(draw)
    pixels = np.stack(maps).astype(np.float64)
    exact = pixels.mean() + k * pixels.std()
    assert MeanStd(k)(maps).threshold == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_mean_and_deviation_hold_behind_a_large_offset():
    pixels = np.random.default_rng(0).integers(0, 9, (4, 50, 60)) / 1024 + 10_000
    maps = list(pixels.astype(np.float32))
    threshold = MeanStd(3)(maps).threshold
    exact = np.stack(maps).astype(np.float64)
    assert threshold - exact.mean() == pytest.approx(3 * exact.std(), rel=1e-6)


@pytest.mark.parametrize("draw", ODD_DRAWS)
def test_under_the_maximum_nothing_normal_is_marked(draw):
    maps = drawn_maps(draw)
    calibration = Maximum(min_area_px=0)(maps)
    assert calibration.threshold == pytest.approx(np.max(maps), rel=3e-4)
    assert blobs_kept(calibration, maps) == 0


@pytest.mark.parametrize("q", [0.9, 0.999, 1.0])
@pytest.mark.parametrize("normalisation", ["median", "robust"])
def test_quantiles_are_of_the_normalised_maps(q, normalisation):
    maps = [each + 10 * index for index, each in enumerate(smooth_maps())]
    scores = []
    for each in maps:
        level, spread = level_and_spread(each)
        scores.append((each - level) / (spread if normalisation == "robust" else 1))
    exact = np.quantile(np.stack(scores), q, method="inverted_cdf")
    calibration = Quantile(q, normalisation=normalisation, min_area_px=0)(maps)
    assert calibration.threshold == pytest.approx(exact, rel=3e-4)
    marked = sum(finish(each, each.shape, calibration).mask.sum() for each in maps)
    assert marked <= (1 - q) * np.size(scores) + 1e-6


def test_the_floor_of_robust_is_the_largest_spread_of_normal_images():
    maps = smooth_maps()
    calibration = Midway(normalisation="robust")(maps)
    spreads = [level_and_spread(each)[1] for each in maps]
    assert calibration.spread_floor == max(spreads) > min(spreads) > 0
