"""MEBin against the reference's rules: counts by scipy, runs as its dossier lists them."""

import numpy as np
import pytest
from scipy import ndimage

from zoo.postprocess import Mebin, finish
from zoo.postprocess.calibration import Sweep
from zoo.postprocess.mebin import (
    SHORTEST_RUN,
    STEP,
    blob_counts,
    stable_level,
    swept_threshold,
)
from zoo.utils.errors import ZooError

SWEEP = Sweep(step=STEP, shortest_run=SHORTEST_RUN)


def _two_blobs():
    score_map = 10 * ndimage.gaussian_filter(np.random.default_rng(0).random((128, 160)), 1)
    score_map[20:50, 30:70] += 60
    score_map[80:100, 100:140] += 90
    return score_map.astype(np.float32)


def _noise():
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(128, 160)), 4)
    return (100 + 200 * noise).astype(np.float32)


def _one_blob():
    rows, columns = np.indices((128, 160))
    hill = 80 * np.exp(-((rows - 3) ** 2 + (columns - 150) ** 2) / 800)  # at the edge
    return (hill + np.random.default_rng(2).random((128, 160))).astype(np.float32)


MAPS = [_two_blobs, _noise, _one_blob]


def _reference_counts(score_map, low, high, step):
    """Return the reference's counts: threshold, erode, label, once per level."""
    scaled = (score_map - np.float32(low)) / np.float32(high - low) * np.float32(255)
    scaled[score_map < low] = 0
    counts = []
    for level in range(255, 0, -step):
        eroded = ndimage.binary_erosion(scaled > level, np.ones((6, 6)), border_value=1)
        counts.append(ndimage.label(eroded, np.ones((3, 3)))[1])
    return counts


def _snake(turns=50, size=200):
    mask = np.zeros((size, size), np.float32)
    for turn in range(turns):
        mask[4 * turn, :] = 1
        mask[4 * turn : 4 * turn + 5, 0 if turn % 2 else -1] = 1
    return mask


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("step", [1, 4, 5])
@pytest.mark.parametrize("low", ["minimum", "median", "above noise"])
def test_counts_are_the_references(make, step, low):
    score_map = make()
    low = {"minimum": score_map.min(), "median": np.median(score_map), "above noise": 12.0}[low]
    high = score_map.max()
    counts = blob_counts(score_map, float(low), float(high), step)
    assert counts.tolist() == _reference_counts(score_map, low, high, step)


@pytest.mark.parametrize("make", MAPS)
def test_whole_numbers_count_the_same(make):
    score_map = np.round(make()).astype(np.float32)
    low, high = 0.0, float(score_map.max())
    counts = blob_counts(score_map, low, high)
    assert counts.tolist() == _reference_counts(score_map, low, high, 4)
    assert len(counts) == 64


@pytest.mark.parametrize(
    ("counts", "level", "count"),
    [
        ([0, 0, 2, 2, 2, 2, 1, 1, 1, 1, 3], 235, 2),  # of two counts the one met first
        ([1, 1, 1, 1, 0, 1, 1, 1, 1], 223, 1),  # of two runs the last
        ([0] * 10, 255, 0),
        ([1, 1, 1, 2, 2, 2], 255, 0),
        ([1, 1, 1, 1, 1, 0, 1, 1, 1, 1], 239, 1),  # the longer run, though not the last
        ([1, 1, 1, 1, 2, 2, 2, 2, 2], 223, 2),
        ([3] * 64, 3, 3),
        ([7], 255, 0),
    ],
)
def test_the_longest_run_decides(counts, level, count):
    assert stable_level(np.array(counts)) == (level, count)


def _reference_level(counts, shortest, step):
    """Choose as anomalib does, but the last of equal runs, as the reference does."""
    runs, index = {}, 0
    while index < len(counts):
        end = index
        while end + 1 < len(counts) and counts[end + 1] == counts[index]:
            end += 1
        if counts[index] and end - index + 1 >= shortest:
            runs.setdefault(counts[index], []).append((end - index + 1, end))
        index = end + 1
    if not runs:
        return 255, 0
    best = max(runs, key=lambda count: max(length for length, _ in runs[count]))
    return 255 - step * max(runs[best])[1], best


@pytest.mark.parametrize(("shortest", "step"), [(1, 1), (2, 4), (4, 4)])
def test_random_counts_are_chosen_as_the_reference_chooses(shortest, step):
    for seed in range(40):
        counts = np.repeat(np.random.default_rng(seed).integers(0, 3, 12), 1 + seed % 4)
        counts = counts[: 255 // step]
        expected = _reference_level(counts.tolist(), shortest, step)
        assert stable_level(counts, step, shortest) == expected, seed


def test_a_snake_of_one_pixel_is_one_blob():
    assert set(blob_counts(_snake(), 0.0, 1.0, erode_px=0)[1:].tolist()) == {1}


def test_counts_are_anomalibs_on_compact_blobs():
    torch = pytest.importorskip("torch")
    from anomalib.post_processing.mebin import _count_connected_components, _erode

    score_map = np.random.default_rng(3).random((24, 24), dtype=np.float32)
    score_map[2:11, 3:12] += 2
    score_map[13:, 12:23] += 1
    low, high, step = float(np.median(score_map)), float(score_map.max()), 16
    scaled = torch.from_numpy((np.maximum(score_map, low) - low) / (high - low) * 255)[None, None]
    theirs = [
        int(_count_connected_components(_erode((scaled > level).float()), 100)[0])
        for level in range(255, 0, -step)
    ]
    assert blob_counts(score_map, low, high, step).tolist() == theirs
    assert max(theirs) == 2


@pytest.mark.parametrize("value", [-2.0, 0.0, 5.0])
@pytest.mark.parametrize("low", [-2.0, 0.0, 5.0])
def test_a_constant_map_holds_a_defect_only_if_it_lies_above_the_floor(value, low):
    threshold = swept_threshold(np.full((20, 20), value, np.float32), low, SWEEP)
    assert (threshold < value) if value > low else threshold == np.inf


@pytest.mark.parametrize("excess", [1e-45, 1e-38, 1e-9, 1e30])
def test_a_range_of_any_size_is_swept(excess):
    score_map = np.zeros((20, 20), np.float32)
    score_map[4:16, 4:16] = excess
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        threshold = swept_threshold(score_map, 0.0, SWEEP)
    assert (score_map > threshold).sum() == 144


def test_a_floor_between_two_float32_neighbours_marks_nothing():
    low, high = 0.1, float(np.float32(0.1))  # the second is larger, by less than float32 sees
    assert high > low
    assert swept_threshold(np.full((9, 9), high, np.float32), low, SWEEP) == np.inf


@pytest.mark.parametrize("make", MAPS)
def test_the_threshold_never_falls_below_the_floor(make):
    score_map = make()
    for low in np.quantile(score_map, [0, 0.5, 0.99, 1]).tolist():
        assert swept_threshold(score_map, low, SWEEP) >= low


def test_what_is_not_finite_is_refused_before_the_sweep():
    score_map = _one_blob()
    calibration = Mebin()([score_map])
    score_map[3, 3] = np.nan
    with pytest.raises(ZooError, match="NaN"):
        finish(score_map, score_map.shape, calibration)


def test_masks_are_the_references():
    normal, score_map = 10 * np.ones((128, 160), np.float32), _two_blobs()
    finished = finish(score_map, score_map.shape, Mebin(min_area_px=0)([normal]))
    counts = _reference_counts(score_map, 10.0, score_map.max(), 4)
    level, count = _reference_level(counts, 4, 4)
    above = score_map > level / 255 * (score_map.max() - 10) + 10
    expected = ndimage.binary_erosion(above, np.ones((6, 6)), border_value=1)
    np.testing.assert_array_equal(finished.mask, expected)
    assert len(finished.blobs) == count == 2


def test_calibration_images_keep_clean_masks():
    maps = [_noise(), _noise().T.copy(), _noise()[::-1].copy()]
    calibration = Mebin()(maps)
    assert calibration.threshold == max(each.max() for each in maps)
    assert not any(finish(each, each.shape, calibration).is_anomalous for each in maps)


@pytest.mark.parametrize(("erode_px", "result"), [(0, 16), (2, 9), (6, 0)])
def test_the_sweep_erodes_as_the_mask_does(erode_px, result):
    score_map = np.zeros((30, 30), np.float32)
    score_map[10:14, 10:14] = 1
    calibration = Mebin(erode_px=erode_px, min_area_px=0)([np.zeros((30, 30), np.float32)])
    assert finish(score_map, (30, 30), calibration).mask.sum() == result
