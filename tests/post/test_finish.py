"""`finish` against scipy's labelling, on maps a method could give."""

import numpy as np
import pytest
from scipy import ndimage

from zoo.errors import ZooError
from zoo.post import Calibration, finish

EIGHT = np.ones((3, 3))


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
    found = {(blob.area_px, *blob.box): blob for blob in finished.blobs}
    assert len(found) == len(finished.blobs)
    assert found.keys() == blobs.keys()
    for key, (peak, mean, centroid) in blobs.items():
        assert found[key].peak == np.float32(peak)
        assert found[key].mean == pytest.approx(mean, rel=1e-6)
        assert found[key].centroid == pytest.approx(centroid, abs=1e-9)
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
