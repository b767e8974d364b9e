"""Outlines of two-dimensional defects as opacities: a stain, a patch and a Perlin region.

A smooth random field is cut at the level above which it has the wanted area.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from zoo.data.synthetic.draws import between
from zoo.data.synthetic.noise import perlin

_GRID = 192  # points per side of a field: smooth enough to be enlarged
_REACH = 3.6  # side of a field, in sides of a square that has the defect's area
_SHARP = 1e-3  # half width of an edge, in values of a field
_FRINGE = 0.1  # opacity that is taken off, so that outlines end where an eye sees them end


def stain(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return a roundish blob whose edge fades over much of its radius.

    Args:
        rng: Source of every draw, the same number of them for every area.
        area: Area in pixels where the opacity is over one half, as for all outlines.

    Returns:
        Opacity, (h, w) float32 in [0, 1], cut to where it is seen.
    """
    along, across = _axes(rng, between(rng, 1, 3))
    field = 0.5 * perlin(rng, _GRID, 4) - np.hypot(along, across)
    return _cut(field, area, soft=rng.uniform(0.1, 0.45))


def patch(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return a rectangle at any angle with rounded corners, somewhat ragged; edges of a pixel."""
    along, across = _axes(rng, between(rng, 1, 3.3))
    field = 0.15 * perlin(rng, _GRID, 12) - (along**6 + across**6) ** (1 / 6)
    return _cut(field, area, feather=rng.uniform(0.5, 1.5))


def islands(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return the ragged islands and bays that Perlin noise has above a level."""
    along, across = _axes(rng, between(rng, 1, 3))
    field = perlin(rng, _GRID, 6) + 0.5 * perlin(rng, _GRID, 12) + 0.25 * perlin(rng, _GRID, 24)
    return _cut(field - 0.3 * (along**2 + across**2), area, feather=rng.uniform(0.5, 1.5))


def _axes(rng: np.random.Generator, stretch: float) -> tuple[np.ndarray, np.ndarray]:
    """Return turned coordinates, (g, g) float32 each; a circle of them is an ellipse.

    Args:
        rng: Source of the angle.
        stretch: Length of the ellipse over its width.
    """
    angle = rng.uniform(0, np.pi)
    x = np.linspace(-_REACH / 2, _REACH / 2, _GRID, dtype=np.float32)
    x, y = x[None, :], x[:, None]
    cosine, sine, root = math.cos(angle), math.sin(angle), math.sqrt(stretch)
    return (cosine * x + sine * y) / root, (cosine * y - sine * x) * root


def _cut(field: np.ndarray, area: float, soft: float = 0.0, feather: float = 0.5) -> np.ndarray:
    """Return where a field is highest, as an opacity.

    Args:
        field: (g, g) float32.
        area: Wanted area in pixels.
        soft: Half width of the edge, in values of the field.
        feather: Standard deviation of the blur of the edge, in pixels.
    """
    level = float(np.quantile(field, 1 - 1 / _REACH**2))
    soft = max(soft, _SHARP)
    scale = _REACH * math.sqrt(area) / _GRID  # pixels per point of the grid
    field = _boxed(field, level - soft, margin=int(2 * feather / scale) + 2)
    size = [max(1, round(side * scale)) for side in field.shape[::-1]]
    if scale > 1:
        field = cv2.resize(field, size, interpolation=cv2.INTER_CUBIC)
    ramp = np.clip((field - level) / (2 * soft) + 0.5, 0, 1)
    opacity = ramp * ramp * (3 - 2 * ramp)
    opacity = cv2.GaussianBlur(opacity, (0, 0), feather / min(scale, 1))
    if scale < 1:  # small outlines are drawn large and shrunk
        opacity = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
    return trim(opacity)


def _boxed(field: np.ndarray, level: float, margin: int) -> np.ndarray:
    """Return the part of a field that is above a level, and a margin around it."""
    x, y, width, height = cv2.boundingRect(np.uint8(field > level))
    rows = slice(max(y - margin, 0), y + height + margin)
    return field[rows, max(x - margin, 0) : x + width + margin]


def trim(opacity: np.ndarray) -> np.ndarray:
    """Return an opacity that reaches 1, without its faintest fringe, cut to what is left of it."""
    opacity = np.maximum((opacity / opacity.max() - _FRINGE) / (1 - _FRINGE), 0)
    x, y, width, height = cv2.boundingRect(np.uint8(opacity > 0))
    return np.ascontiguousarray(opacity[y : y + height, x : x + width])
