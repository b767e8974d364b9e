"""What of a judgement would stand with limits that lie a little higher or lower.

Some normal pictures set the limits, so that they lie on the very edge: any rounding tips them, and
nothing follows from it. A verdict and a pixel that stand have to be the same wherever they are
computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish


@dataclass(frozen=True)
class Clear:
    """What is no close call.

    Attributes:
        verdict: Whether the verdict stands.
        pixels: bool (H, W), where the mask stands.
    """

    verdict: bool
    pixels: np.ndarray


def clear_calls(
    score_map: np.ndarray,
    score: float,
    native_size: tuple[int, int],
    calibration: Calibration,
    share: float,
    middle: float,
) -> Clear:
    """Return what stays as it is if limits move by a share of their height, up or down.

    Args:
        score_map: Raw scores, (h, w).
        score: The method's own score of the image.
        native_size: (H, W) of the picture.
        calibration: The limits.
        share: By how much they move.
        middle: The raw score from which heights count, where scores are not normalised.
    """
    low, own, high = (
        finish(score_map, native_size, moved(calibration, 1 + by, middle), score)
        for by in (-share, 0.0, share)
    )
    return Clear(
        verdict=low.is_anomalous == own.is_anomalous == high.is_anomalous,
        pixels=(low.mask == own.mask) & (own.mask == high.mask),
    )


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
