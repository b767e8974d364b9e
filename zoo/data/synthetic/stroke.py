"""The outline of a scratch as an opacity: a thin, slightly curved ribbon of varying width."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.synthetic.draws import between
from zoo.data.synthetic.noise import perlin
from zoo.data.synthetic.regions import trim

_POINTS = 96  # along the ribbon
_THINNEST = 1.3  # mean width in pixels
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_LONGEST = 0.8  # short sides of the image


def stroke(rng: np.random.Generator, area: float, short_side: int) -> np.ndarray:
    """Return a ribbon, 20 to 200 times as long as wide where there is room for it.

    Args:
        rng: Source of every draw, the same number of them for every area.
        area: Area in pixels.
        short_side: Short side of the image in pixels.

    Returns:
        Opacity, (h, w) float32 in [0, 1], cut to where it is seen; it varies along the ribbon.
    """
    length = area / max(np.sqrt(area / between(rng, 20, 200)), _THINNEST)
    length = min(length, max(_LONGEST * short_side, 1))
    width = area / length
    share = np.linspace(-0.5, 0.5, _POINTS)
    bend, wiggle = rng.normal(0, (0.5, 0.12))
    waves, phase = rng.uniform(1, 3), rng.uniform(0, 2 * np.pi)
    turn = bend * share + wiggle * np.sin(2 * np.pi * waves * share + phase)
    heading = rng.uniform(0, 2 * np.pi) + turn
    forward = np.stack([np.cos(heading), np.sin(heading)], axis=1)  # (n, 2) x and y
    points = np.cumsum(forward, axis=0) * length / _POINTS

    taper = np.clip((0.5 - np.abs(share)) / rng.uniform(0.05, 0.4), 0.15, 1)
    taper *= np.exp(0.35 * np.interp(share, np.linspace(-0.5, 0.5, 9), rng.normal(0, 1, 9)))
    half = (width / 2 * taper / taper.mean())[:, None]
    sideways = forward[:, ::-1] * (-1, 1)
    ribbon = np.concatenate([points + half * sideways, (points - half * sideways)[::-1]])

    margin = 2 + 0.5 * width
    ribbon += margin - ribbon.min(axis=0)
    columns, rows = np.ceil(ribbon.max(axis=0) + margin).astype(int)
    canvas = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(canvas, [np.rint(ribbon * 2**_SHIFT).astype(int)], 255, cv2.LINE_AA, _SHIFT)
    opacity = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 0.3 + 0.15 * width)
    pressure = np.clip(0.75 + perlin(rng, 64, 5), 0.4, 1)
    opacity *= cv2.resize(pressure, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return trim(opacity)
