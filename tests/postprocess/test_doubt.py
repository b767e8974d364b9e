"""Constant maps and thresholds that are as good as zero are one line."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.postprocess import Quantile
from zoo.postprocess.calibration import doubt
from zoo.runs.calibrations import CalibrationSource, recalibrate

RULE = Quantile(q=0.99, min_area_px=1)


def maps(*kinds: str) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    made = {
        "plain": random.random((12, 16), np.float32),
        "flat": np.full((12, 16), 7.0, np.float32),
        "nearly flat": np.float32(7) + np.float32(1e-6) * random.random((12, 16), np.float32),
        "zero": np.zeros((12, 16), np.float32),
        "denormal": np.float32(1e-40) * random.random((12, 16), np.float32),
    }
    return [made[kind] for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        (["plain", "flat"], "1 of 2 normal images score alike in all pixels"),
        (["nearly flat", "nearly flat"], "2 of 2 normal images score alike"),
        (["zero"] * 3, "3 of 3 normal images score alike"),
        (["denormal"] * 3, "3 of 3 normal images score alike"),
        (["plain", "plain"], None),
    ],
)
def test_maps_that_tell_nothing_are_named(kinds, says):
    calibration = RULE(maps(*kinds))
    result = doubt(calibration, maps(*kinds))
    assert (result is None) == (says is None)
    assert not says or (says in result and "\n" not in result)


def test_a_threshold_that_is_left_of_zero_is_named():
    calibration = Quantile(q=0.5, min_area_px=1)(
        [np.where(np.arange(192).reshape(12, 16) % 96, np.float32(1.4e-42), np.float32(5))]
    )
    assert 0 < calibration.threshold < 1e-40
    [score_map] = [np.where(np.arange(192).reshape(12, 16) % 96, 1.4e-42, 5).astype(np.float32)]
    assert "is as good as zero" in doubt(calibration, [score_map])


def test_who_calibrates_anew_is_told():
    _, new = recalibrate(RULE, maps("plain", "flat"), CalibrationSource("shots"), None)
    assert "1 of 2 normal images score alike" in list(new.lines("new"))[-1]
