"""The camera: lens blur, glare, vignetting, photon and read noise, tone curve, eight bits."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.tiny.fields import blur
from zoo.data.tiny.frame import Frame

_FULL_WELL = 54_000.0  # electrons at white
_READ_NOISE = 12.0  # electrons
_BLUR = 0.72  # width of the point spread function in pixels of the picture
_GLARE = 0.035  # share of light that the lens scatters widely
_VIGNETTING = 0.16  # loss in the corners


def expose(
    radiance: np.ndarray, frame: Frame, exposure: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the picture of a radiance field.

    Args:
        radiance: (C, rows, columns) linear light on the working grid.
        frame: The field of view.
        exposure: Gain; white is reached where gain times radiance is 1.
        rng: Source of the noise.

    Returns:
        (height, width, C) uint8.
    """
    size = (frame.width, frame.height)
    x = np.linspace(-1, 1, frame.width, dtype=np.float32)
    y = np.linspace(-1, 1, frame.height, dtype=np.float32)[:, None]
    gain = (exposure * _FULL_WELL) * (1 - _VIGNETTING / 2 * (x * x + y * y))
    picture = np.empty((frame.height, frame.width, len(radiance)), np.uint8)
    for channel, plane in enumerate(radiance):
        sharp = blur(plane, _BLUR * frame.oversampling)
        sharp = cv2.resize(sharp, size, interpolation=cv2.INTER_AREA)
        electrons = (sharp + _GLARE * (blur(sharp, max(size) / 25) - sharp)) * gain
        noise = rng.standard_normal(electrons.shape, dtype=np.float32)
        if len(radiance) == 3:
            # the interpolation of a colour filter array spreads noise and weakens it
            noise = cv2.GaussianBlur(noise, (3, 3), 0.7) * 1.3
        electrons += noise * np.sqrt(np.maximum(electrons, 0) + _READ_NOISE**2)
        picture[..., channel] = _encode(electrons / _FULL_WELL)
    return picture


def _encode(linear: np.ndarray) -> np.ndarray:
    """Apply the sRGB tone curve to linear light and round to eight bits."""
    # a table of 4096 steps, as the converter of a 12-bit camera has
    step = np.linspace(0, 1, 4096)
    curve = np.where(step < 0.0031308, step * 12.92, 1.055 * step ** (1 / 2.4) - 0.055)
    table = np.round(curve * 255).astype(np.uint8)
    return table[(np.clip(linear, 0, 1) * 4095 + 0.5).astype(np.int32)]
