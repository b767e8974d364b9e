"""How much an image varies around a place: the measure of what is faint there.

Visible is what stands out from the variation that is there anyway. On a plain surface nothing
varies, and yet an eye or a camera does not see a change of one grey value: the spread has a floor.
"""

from __future__ import annotations

import cv2
import numpy as np

_LEAST = 6.0  # grey values
_MOST_CONTRAST = 120.0  # grey values: beyond it everything is black or white anyway
_SAMPLES = 256  # per side
_NORMAL = 1.4826  # standard deviation over median absolute deviation of a normal distribution


def local_spread(pixels: np.ndarray, scale: float) -> float:
    """Return the robust standard deviation of an image around its own mean nearby, in grey values.

    Args:
        pixels: (h, w, 3) uint8, the surroundings of a defect.
        scale: Width of the defect in pixels: variation over longer distances is shading.

    Returns:
        At least 6.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = 2 * max(round(scale), 1) + 1
    apart = np.abs(grey - cv2.blur(grey, (side, side)))
    step = -(-max(apart.shape) // _SAMPLES)
    return max(_NORMAL * float(np.median(apart[::step, ::step])), _LEAST)


def contrast(spread: float, strength: float) -> float:
    """Return a contrast in grey values: so many spreads, but at most 120."""
    return min(strength * spread, _MOST_CONTRAST)
