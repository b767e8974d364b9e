"""Whether the score maps behind a calibration tell anything: constant ones set no threshold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zoo.postprocess.calibration import Calibration

_TINY = float(np.finfo(np.float32).tiny)  # smaller numbers are what is left of zero
_ALIKE = 1e-6  # of the largest score: what float32 and resizing make of equal ones


def doubt(calibration: Calibration, score_maps: Iterable[np.ndarray]) -> str | None:
    """Return in one line why a calibration may mean nothing, or None if all looks well.

    Args:
        calibration: What a rule derived.
        score_maps: The raw maps that it was derived from, (H, W) each.
    """
    flat = [_is_flat(each) for each in score_maps]
    if any(flat):
        why = f"{sum(flat)} of {len(flat)} normal images score alike in all pixels"
    elif 0 < abs(calibration.threshold) < _TINY:
        why = f"{calibration.threshold:.2g} is as good as zero"
    else:
        return None
    return f"the threshold may mean nothing, {why}: are images blank, or is the model not fitted?"


def _is_flat(score_map: np.ndarray) -> bool:
    low, high = float(score_map.min()), float(score_map.max())
    return high - low <= max(_TINY, _ALIKE * max(abs(low), abs(high)))
