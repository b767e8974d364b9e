"""`finish` against scipy and scikit-image, on maps a method could give."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import measure
from skimage.filters import apply_hysteresis_threshold

from zoo.postprocess import Calibration, finish
from zoo.postprocess.background import background, normalised
from zoo.postprocess.morphology import clean_mask
from zoo.utils.errors import ZooError

# The same examples at every run, and no deadline: a busy machine must not fail a test.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

EIGHT = np.ones((3, 3))
# Few values and small sides, so that blobs touch, tie and lie at thresholds.
MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
    elements=st.sampled_from([-1.5, 0.0, 0.1, 0.25, 0.3, 0.5, 2.0]),
)
LEVELS = st.sampled_from([-2.0, -1.5, 0.0, 0.1, 0.2, 0.25, 0.5, 2.0])
CALIBRATIONS = st.builds(
    Calibration,
    threshold=LEVELS,
    min_area_px=st.integers(0, 6),
    seed_threshold=st.none() | LEVELS,
    min_mass=st.sampled_from([0.0, 0.3, 2.0]),
    normalisation=st.sampled_from(["none", "median", "robust"]),
    spread_floor=st.sampled_from([0.0, 0.5]),
    close_px=st.integers(0, 4),
    fill_holes_px=st.integers(0, 5),
    erode_px=st.integers(0, 3),
    border_px=st.integers(0, 2),
    sweep=st.none() | st.just({"step": 16, "shortest_run": 2}),
)


def _map(seed, shape=(60, 80), smooth=1.5):
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(noise, smooth).astype(np.float32)


def _reference(score_map, threshold, min_area_px):
    """Return the mask and {(area, x, y, w, h): (peak, mean, centroid)} as scipy sees them."""
    labels, count = ndimage.label(score_map > np.float32(threshold), structure=EIGHT)
    mask, blobs = np.zeros(score_map.shape, bool), {}
    for label in range(1, count + 1):
        inside = labels == label
        if inside.sum() < min_area_px:
            continue
        mask |= inside
        rows, columns = np.nonzero(inside)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        scores = score_map[inside].astype(np.float64)
        centroid = (columns.mean(), rows.mean())
        blobs[(inside.sum(), *box)] = (scores.max(), scores.mean(), centroid)
    return mask, blobs


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.02, 0.2, 0.6])
@pytest.mark.parametrize("min_area_px", [0, 1, 2, 9, 10_000])
def test_masks_and_blobs_are_scipys(seed, share, min_area_px):
    score_map = _map(seed)
    threshold = float(np.quantile(score_map, 1 - share))
    finished = finish(score_map, score_map.shape, Calibration(threshold, min_area_px))
    mask, blobs = _reference(score_map, threshold, min_area_px)
    assert finished.mask.dtype == bool
    np.testing.assert_array_equal(finished.mask, mask)
    result = {(blob.area_px, *blob.box): blob for blob in finished.blobs}
    assert len(result) == len(finished.blobs)
    assert result.keys() == blobs.keys()
    for key, (peak, mean, centroid) in blobs.items():
        assert result[key].peak == np.float32(peak)
        assert result[key].mean == pytest.approx(mean, rel=1e-6)
        assert result[key].centroid == pytest.approx(centroid, abs=1e-9)
    assert finished.is_anomalous == bool(mask.any())
    peaks = [blob.peak for blob in finished.blobs]
    assert peaks == sorted(peaks, reverse=True)


def test_diagonal_neighbours_are_one_blob():
    finished = finish(np.eye(5, dtype=np.float32), (5, 5), Calibration(0.5, 5))
    assert [blob.area_px for blob in finished.blobs] == [5]


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.5, 1e30])
def test_a_constant_map_at_the_threshold_is_clean(value):
    finished = finish(np.full((6, 7), value, np.float32), (6, 7), Calibration(value))
    assert not finished.mask.any()
    assert finished.blobs == []
    assert not finished.is_anomalous


def test_an_image_wholly_above_the_threshold_is_one_blob():
    finished = finish(np.full((6, 7), 2.0, np.float32), (12, 14), Calibration(1.0, 100))
    assert finished.mask.all()
    [blob] = finished.blobs
    assert (blob.area_px, blob.box, blob.peak, blob.mean) == (168, (0, 0, 14, 12), 2.0, 2.0)


@pytest.mark.parametrize(("score", "anomalous"), [(0.4, False), (0.6, True)])
def test_one_pixel_is_an_image(score, anomalous):
    finished = finish(np.array([[score]], np.float32), (1, 1), Calibration(0.5, 1))
    assert finished.is_anomalous is anomalous
    assert finished.mask.shape == (1, 1)


def test_half_precision_is_exact():
    score_map = _map(1).astype(np.float16)
    calibration = Calibration(float(score_map[10, 10]), 3)
    half = finish(score_map, score_map.shape, calibration)
    full = finish(score_map.astype(np.float32), score_map.shape, calibration)
    np.testing.assert_array_equal(half.mask, full.mask)
    assert half.blobs == full.blobs
    assert not half.mask[10, 10]  # at the threshold is not above it


def test_strides_do_not_matter():
    wide = _map(2, (120, 160))
    view = wide[::2, ::-2]
    calibration = Calibration(0.1, 4)
    one = finish(view, view.shape, calibration)
    other = finish(view.copy(), view.shape, calibration)
    np.testing.assert_array_equal(one.mask, other.mask)
    assert one.blobs == other.blobs


def test_areas_count_in_pixels_of_the_native_image():
    score_map = np.zeros((8, 8), np.float32)
    score_map[2:4, 2:4] = 1.0
    small = finish(score_map, (8, 8), Calibration(0.5, 5))
    large = finish(score_map, (80, 80), Calibration(0.5, 5))
    assert not small.is_anomalous
    [blob] = large.blobs
    assert blob.area_px == large.mask.sum() > 200
    assert large.score_map.shape == large.mask.shape == (80, 80)


def test_the_score_map_stays_raw():
    score_map = _map(3) * 100
    before = score_map.copy()
    finished = finish(score_map, score_map.shape, Calibration(10.0, 50))
    np.testing.assert_array_equal(finished.score_map, before)
    np.testing.assert_array_equal(score_map, before)


def test_a_mask_depends_on_its_own_map_only():
    maps = [_map(seed) for seed in range(4)]
    calibration = Calibration(0.15, 5)
    alone = finish(maps[2], (60, 80), calibration)
    after_others = [finish(score_map, (60, 80), calibration) for score_map in maps][2]
    np.testing.assert_array_equal(alone.mask, after_others.mask)
    assert alone.blobs == after_others.blobs


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_not_finite_is_refused(value):
    score_map = _map(0)
    score_map[5, 5] = value
    with pytest.raises(ZooError, match="1 of 4800 scores"):
        finish(score_map, score_map.shape, Calibration(0.1))


def test_a_blob_is_plain_data():
    [blob] = finish(np.ones((2, 3), np.float32), (2, 3), Calibration(0.5)).blobs
    assert blob.to_dict() == {
        "id": 1,
        "area_px": 6,
        "box": (0, 0, 3, 2),
        "centroid": (1.0, 0.5),
        "peak": 1.0,
        "mean": 1.0,
        "integrated": 6.0,
    }


def _blobs_of(mask, score_map):
    return measure.regionprops(measure.label(mask, connectivity=2), score_map)


@given(MAPS, CALIBRATIONS)
def test_whatever_the_calibration_mask_blobs_and_verdict_agree(score_map, calibration):
    before = score_map.copy()
    finished = finish(score_map, score_map.shape, calibration)
    np.testing.assert_array_equal(score_map, before)
    assert finished.mask.dtype == bool
    assert finished.mask.shape == score_map.shape
    assert finished.is_anomalous == bool(finished.blobs) == bool(finished.mask.any())
    regions = _blobs_of(finished.mask, finished.score_map)
    result = {
        (blob.box, blob.area_px): (blob.peak, blob.mean, *blob.centroid, blob.integrated)
        for blob in finished.blobs
    }
    expected = {}
    for each in regions:
        top, left, bottom, right = each.bbox
        box = (left, top, right - left, bottom - top)
        scores = score_map[tuple(each.coords.T)].astype(np.float64)
        y, x = each.centroid
        expected[box, each.area] = (scores.max(), scores.mean(), x, y, scores.sum())
    if len(expected) == len(regions):  # two blobs may share a box and an area
        assert result.keys() == expected.keys()
        for key, numbers in result.items():
            assert numbers == pytest.approx(expected[key], rel=1e-6, abs=1e-6)
    assert sum(blob.area_px for blob in finished.blobs) == finished.mask.sum()
    assert [blob.id for blob in finished.blobs] == list(range(1, len(regions) + 1))
    peaks = [blob.peak for blob in finished.blobs]
    assert peaks == sorted(peaks, reverse=True)
    json.dumps([blob.to_dict() for blob in finished.blobs])


@given(MAPS, LEVELS, LEVELS)
def test_a_seed_threshold_is_hysteresis(score_map, threshold, seed):
    low, high = min(threshold, seed), max(threshold, seed)
    finished = finish(score_map, score_map.shape, Calibration(low, seed_threshold=high))
    low, high = np.float32(low), np.float32(high)
    # scikit-image joins by edges only, so its 8-connected twin is written out.
    labels = measure.label(score_map > low, connectivity=2)
    expected = np.isin(labels, np.setdiff1d(labels[score_map > high], 0))
    np.testing.assert_array_equal(finished.mask, expected)
    assert (finished.mask >= apply_hysteresis_threshold(score_map, low, high)).all()


@pytest.mark.parametrize("seed", range(5))
def test_hysteresis_is_scikit_images_where_no_pixels_meet_at_corners(seed):
    score_map = np.repeat(np.repeat(_map(seed, (20, 30), 1), 4, axis=0), 4, axis=1)
    score_map = ndimage.gaussian_filter(score_map, 3).astype(np.float32)
    low, high = (float(q) for q in np.quantile(score_map, [0.8, 0.97]))
    four = measure.label(score_map > np.float32(low), connectivity=1)
    assert four.max() == measure.label(score_map > np.float32(low), connectivity=2).max() > 2
    finished = finish(score_map, score_map.shape, Calibration(low, seed_threshold=high))
    expected = apply_hysteresis_threshold(score_map, np.float32(low), np.float32(high))
    np.testing.assert_array_equal(finished.mask, expected)
    assert 0 < len(finished.blobs) < four.max()


def test_a_seed_at_the_largest_score_keeps_nothing():
    score_map = _map(0)
    calibration = Calibration(0.1, seed_threshold=float(score_map.max()))
    assert not finish(score_map, score_map.shape, calibration).is_anomalous


@given(MAPS, LEVELS, st.sampled_from([0.1, 0.75, 2.0, 5.5]))
def test_a_blob_must_have_mass_above_the_threshold(score_map, threshold, least):
    finished = finish(score_map, score_map.shape, Calibration(threshold, min_mass=least))
    expected = np.zeros(score_map.shape, bool)
    for each in _blobs_of(score_map > np.float32(threshold), score_map):
        inside = tuple(each.coords.T)
        mass = np.sum(score_map[inside].astype(np.float64) - threshold)
        expected[inside] = mass >= least
    np.testing.assert_array_equal(finished.mask, expected)


def test_mass_weighs_faint_large_blobs_against_bright_small_ones():
    score_map = np.zeros((20, 30), np.float32)
    score_map[2:12, 2:12] = 0.75  # 100 * 0.25
    score_map[15:17, 20:22] = 5.5  # 4 * 5
    kept = {
        least: len(finish(score_map, (20, 30), Calibration(0.5, min_mass=least)).blobs)
        for least in (20.0, 20.5, 25.0, 25.5)
    }
    assert kept == {20.0: 2, 20.5: 1, 25.0: 1, 25.5: 0}


@pytest.mark.parametrize("shape", [{"close_px": 6}, {"fill_holes_px": 40}])
def test_what_closing_and_filling_bring_along_has_no_mass(shape):
    score_map = np.full((12, 12), -100.0, np.float32)
    score_map[2:9, 2] = score_map[2:9, 8] = score_map[2, 2:9] = score_map[8, 2:9] = 1.5
    kept = {
        least: int(
            finish(score_map, (12, 12), Calibration(1.0, min_mass=least, **shape)).mask.sum()
        )
        for least in (11.9, 12.1)  # a frame of 24 pixels, each 0.5 above the threshold
    }
    assert kept == {11.9: 49, 12.1: 0}


@pytest.mark.parametrize("normalisation", ["median", "robust"])
@pytest.mark.parametrize("offset", [0.0, -40.0, 1000.0])
@pytest.mark.parametrize("seed", range(3))
def test_thresholds_count_in_units_of_the_normalised_map(normalisation, offset, seed):
    score_map = _map(seed) * 3 + np.float32(offset)
    scores = normalised(score_map, normalisation)
    low, high = (float(q) for q in np.quantile(scores, [0.9, 0.99]))
    numbers = {"min_area_px": 3, "seed_threshold": high, "min_mass": 0.5}
    raw = finish(
        score_map, score_map.shape, Calibration(low, **numbers, normalisation=normalisation)
    )
    on_scores = finish(scores, scores.shape, Calibration(low, **numbers))
    level, spread = background(score_map, normalisation)
    near = np.abs(scores - low) < 1e-3 / spread  # what float32 may round to the other side
    assert not (raw.mask ^ on_scores.mask)[~near].any()
    assert len(raw.blobs) == len(on_scores.blobs) > 0
    for blob, other in zip(raw.blobs, on_scores.blobs, strict=True):
        assert (blob.peak - level) / spread == pytest.approx(other.peak, abs=1e-3)


@pytest.mark.parametrize("normalisation", ["median", "robust"])
def test_light_that_shifts_all_scores_moves_no_mask(normalisation):
    score_map = np.round(_map(5) * 1024) / 1024  # exact under the shift
    calibration = Calibration(0.25, 3, normalisation=normalisation)
    plain = finish(score_map, score_map.shape, calibration)
    shifted = finish(score_map + 8, score_map.shape, calibration)
    assert plain.is_anomalous
    np.testing.assert_array_equal(plain.mask, shifted.mask)
    assert [blob.peak + 8 for blob in plain.blobs] == [blob.peak for blob in shifted.blobs]


def test_light_that_stretches_all_scores_moves_no_mask_under_robust():
    score_map = _map(6)
    calibration = Calibration(1.5, 3, normalisation="robust")
    plain = finish(score_map, score_map.shape, calibration)
    assert plain.is_anomalous
    stretched = finish(score_map * 4, score_map.shape, calibration)
    np.testing.assert_array_equal(plain.mask, stretched.mask)


def test_areas_are_taken_after_closing_filling_and_erosion():
    ring = np.zeros((30, 30), np.float32)
    ring[5:17, 5:17] = 1
    ring[7:15, 7:15] = 0
    ring[5:7, 9:11] = 0  # broken, so no hole before it is closed
    numbers = {"close_px": 2, "fill_holes_px": 64, "erode_px": 3}
    [blob] = finish(ring, ring.shape, Calibration(0.5, 100, **numbers)).blobs
    assert (blob.area_px, blob.box) == (100, (6, 6, 10, 10))
    assert not finish(ring, ring.shape, Calibration(0.5, 101, **numbers)).is_anomalous
    assert len(finish(ring, ring.shape, Calibration(0.5)).blobs) == 1


@given(MAPS, CALIBRATIONS)
def test_no_mask_leaves_what_its_shape_allows(score_map, calibration):
    mask = finish(score_map, score_map.shape, calibration).mask
    level, spread = background(score_map, calibration.normalisation, calibration.spread_floor)
    above = score_map > np.float32(level + spread * calibration.threshold)
    allowed = clean_mask(
        above.astype(np.uint8), calibration.close_px, 10_000, 0, calibration.border_px
    )
    if calibration.sweep is None:
        assert not (mask & ~allowed.astype(bool)).any()
    if border := calibration.border_px:
        inner = np.zeros(mask.shape, bool)
        inner[border:-border, border:-border] = True
        assert not (mask & ~inner).any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F", "sliced", "reversed", "read-only"])
def test_types_and_layouts_do_not_matter(dtype, order):
    plain = _map(7).astype(np.float16).astype(dtype)
    view = {
        "C": plain,
        "F": np.asfortranarray(plain),
        "sliced": np.repeat(plain, 3, axis=1)[:, ::3],
        "reversed": np.ascontiguousarray(plain[::-1, ::-1])[::-1, ::-1],
        "read-only": plain.copy(),
    }[order]
    view.setflags(write=order != "read-only")
    calibration = Calibration(
        0.5, 3, 1.0, normalisation="robust", close_px=3, fill_holes_px=9, erode_px=2, border_px=1
    )
    for size in ((60, 80), (120, 160)):
        one = finish(view, size, calibration)
        other = finish(plain.astype(np.float32), size, calibration)
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.blobs == other.blobs != []


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 400), (400, 1), (2, 400), (400, 2)])
def test_thin_images_are_images(shape):
    score_map = np.zeros(shape, np.float32)
    score_map[-1, -1] = 1
    numbers = {"close_px": 3, "fill_holes_px": 5, "normalisation": "none"}
    [blob] = finish(score_map, shape, Calibration(0.5, 1, **numbers)).blobs
    assert blob.box == (shape[1] - 1, shape[0] - 1, 1, 1)
    assert blob.centroid == (shape[1] - 1, shape[0] - 1)
    whole = finish(score_map + 1, shape, Calibration(0.5, erode_px=6))
    assert whole.mask.all()  # beyond the image there is candidate
    assert not finish(score_map + 1, shape, Calibration(0.5, border_px=1)).is_anomalous


@pytest.mark.parametrize("normalisation", ["median", "robust"])
@pytest.mark.parametrize("value", [0.0, -5.0, 100.05, 1e-9, 1e30])
def test_a_constant_map_is_clean_under_every_normalisation(normalisation, value):
    score_map = np.full((12, 13), value, np.float32)
    for seed in (None, 0.0):
        calibration = Calibration(0.0, 0, seed, normalisation=normalisation)
        assert not finish(score_map, score_map.shape, calibration).is_anomalous


def test_masks_do_not_depend_on_the_images_before():
    calibration = Calibration(
        0.3, 3, 0.6, normalisation="robust", close_px=3, sweep={"step": 4, "shortest_run": 4}
    )
    maps = [_map(seed) * 10**seed for seed in range(4)]
    forth = [finish(each, each.shape, calibration) for each in maps]
    back = [finish(each, each.shape, calibration) for each in reversed(maps)][::-1]
    for one, other in zip(forth, back, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.blobs == other.blobs
