"""Whether a verdict would stand with limits that lie a little higher or lower.

Some normal pictures set the limits, so that they lie on the very edge: any rounding tips them, and
nothing follows from it. A verdict that stands has to be the same wherever it is computed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zoo.post.calibration import Calibration
from zoo.post.finish import finish


def verdict_stands(
    score_map: np.ndarray,
    score: float,
    native_size: tuple[int, int],
    calibration: Calibration,
    share: float,
    middle: float,
) -> bool:
    """Whether limits may move by a share of their height, up or down, and the verdict stays.

    Args:
        score_map: Raw scores, (h, w).
        score: The method's own score of the image.
        native_size: (H, W) of the picture.
        calibration: The limits.
        share: By how much they move.
        middle: The raw score from which heights count, where scores are not normalised.
    """
    verdicts = {
        finish(score_map, native_size, moved(calibration, 1 + by, middle), score).is_anomalous
        for by in (-share, 0.0, share)
    }
    return len(verdicts) == 1


def moved(calibration: Calibration, factor: float, middle: float) -> Calibration:
    """Return a calibration whose limits are a factor higher above the middle of scores."""
    base = middle if calibration.normalisation == "none" else 0.0  # else they count from a median

    def move(limit: float | None, start: float = base) -> float | None:
        return None if limit is None else start + factor * (limit - start)

    return replace(
        calibration,
        threshold=move(calibration.threshold),
        seed_threshold=move(calibration.seed_threshold),
        min_mass=factor * calibration.min_mass,
        image_threshold=move(calibration.image_threshold, middle),  # of raw scores, always
    )
