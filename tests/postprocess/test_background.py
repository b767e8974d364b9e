"""Level and spread of an image's background against numpy, and what they do to shifts of light."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zoo.postprocess.background import NORMALISATIONS, background, level_and_spread, normalised

# The same examples at every run, and no deadline: a busy machine must not fail a test.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1e6, 1e6, width=32),
)


def _map(seed, shape=(60, 80)):
    return np.random.default_rng(seed).gamma(2, 1, shape).astype(np.float32)


def test_without_normalisation_the_map_itself_comes_back():
    score_map = _map(0)
    assert background(score_map, "none") == (0.0, 1.0)
    assert normalised(score_map, "none") is score_map


@given(MAPS)
def test_level_and_spread_are_numpys_order_statistics(score_map):
    ordered = np.sort(score_map.ravel())
    level, spread = level_and_spread(score_map)
    assert level == ordered[len(ordered) // 2]
    high = ordered[min(len(ordered) - 1, len(ordered) * 90 // 100)]
    assert spread == float(high) - float(level) >= 0


@given(MAPS, st.sampled_from(NORMALISATIONS))
def test_normalised_maps_are_finite_and_keep_the_order_of_scores(score_map, normalisation):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        scores = normalised(score_map, normalisation)
    assert scores.dtype == np.float32
    assert scores.shape == score_map.shape
    assert np.isfinite(scores).all()
    assert (np.diff(scores.ravel()[np.argsort(score_map.ravel(), kind="stable")]) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300_000), (300_000, 1), (1500, 2000), (2000, 1300)])
def test_a_sample_of_a_large_map_is_enough(shape):
    score_map = _map(1, shape)
    level, spread = level_and_spread(score_map)
    exact = np.median(score_map)
    assert level == pytest.approx(exact, rel=0.02)
    assert spread == pytest.approx(np.quantile(score_map, 0.9) - exact, rel=0.03)


@pytest.mark.parametrize("shift", [-7.0, 0.25, 1000.0])
@pytest.mark.parametrize("normalisation", ["median", "robust"])
def test_a_shift_of_the_whole_image_is_taken_off(shift, normalisation):
    plain = normalised(_map(2), normalisation)
    np.testing.assert_allclose(normalised(_map(2) + shift, normalisation), plain, atol=2e-4)


@pytest.mark.parametrize("factor", [0.01, 3.0, 1e6])
def test_a_stretch_of_the_whole_image_is_divided_away_by_robust_only(factor):
    robust = normalised(_map(3), "robust")
    np.testing.assert_allclose(normalised(_map(3) * factor, "robust"), robust, rtol=1e-4, atol=1e-4)
    assert normalised(_map(3) * factor, "median").max() == pytest.approx(
        factor * normalised(_map(3), "median").max(), rel=1e-5
    )


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4])
def test_a_defect_smaller_than_half_the_image_hardly_moves_the_level(share):
    score_map = _map(4)
    before = level_and_spread(score_map)[0]
    score_map[: int(share * 60)] = 1000
    assert level_and_spread(score_map)[0] < before + 3


def test_spreads_below_the_floor_are_raised_to_it_and_larger_ones_kept():
    level, spread = level_and_spread(_map(5))
    assert background(_map(5), "robust", spread / 2) == (level, spread)
    assert background(_map(5), "robust", 2 * spread) == (level, 2 * spread)
    assert background(_map(5), "median", 2 * spread) == (level, 1.0)


@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-42, 1e30])
@pytest.mark.parametrize("normalisation", ["median", "robust"])
def test_a_constant_map_becomes_zero(value, normalisation):
    assert not normalised(np.full((9, 7), value, np.float32), normalisation).any()


@pytest.mark.parametrize("dust", [0.0, 1e-45, 1e-38])
def test_scores_clamped_at_zero_are_not_blown_up(dust):
    score_map = np.zeros((20, 20), np.float32)
    score_map[:3] = dust  # 15 %, so the spread is the dust itself
    score_map[0, 0] = 50.0
    assert normalised(score_map, "robust").max() == 50.0


def test_the_map_is_left_as_it_is():
    score_map = _map(6)
    score_map.setflags(write=False)
    before = score_map.copy()
    normalised(score_map, "robust")
    np.testing.assert_array_equal(score_map, before)
