"""MEBin as a rule."""

import numpy as np
import pytest
from normal_maps import smooth_maps

from zoo.postprocess import Mebin


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0])
def test_the_floor_of_mebin_is_a_quantile_of_normal_peaks(q):
    maps = smooth_maps()
    peaks = [each.max() for each in maps]
    calibration = Mebin(q, step=5, shortest_run=3)(maps)
    assert calibration.threshold == np.quantile(peaks, q, method="inverted_cdf")
    assert calibration.sweep == {"step": 5, "shortest_run": 3}
    assert calibration.erode_px == 6
