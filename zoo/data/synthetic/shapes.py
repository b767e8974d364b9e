"""Outlines of defects as opacities, from Perlin noise: stain, patch, islands and scratch.

A smooth random field is cut at the level above which it has a given area. Perlin noise after
K. Perlin, Improving noise, SIGGRAPH 2002; own code.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

_GRID = 192  # points per side of a field: smooth enough to be enlarged
_REACH = 3.6  # side of a field, in sides of a square that has the defect's area
_SHARP = 1e-3  # half width of an edge, in values of a field
_FRINGE = 0.1  # opacity that is taken off, so that outlines end where an eye sees them end
_POINTS = 96  # along the ribbon
_THINNEST = 1.3  # mean width in pixels
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_LONGEST = 0.8  # short sides of the image


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a positive number; every factor is as likely as any other (log-uniform)."""
    return float(low * (high / low) ** rng.random())


def _perlin(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Return Perlin noise, (side, side) float32, mean about 0, between -0.71 and 0.71.

    Args:
        rng: Source of the slopes; the draws depend on `cells` only.
        side: Points per side.
        cells: Cells of the grid per side: the more, the finer the noise.
    """
    angles = rng.uniform(0, 2 * np.pi, (cells + 1, cells + 1)).astype(np.float32)
    along_y, along_x = np.sin(angles), np.cos(angles)
    at = np.linspace(0, cells, side, endpoint=False, dtype=np.float32)
    cell = at.astype(int)
    within = at - np.floor(at)
    y, x = within[:, None], within[None, :]

    def reach(down: int, right: int) -> np.ndarray:
        """Return what the slope at one corner of its cell adds to every point."""
        corner = np.ix_(cell + down, cell + right)
        return along_y[corner] * (y - down) + along_x[corner] * (x - right)

    top = _blend(reach(0, 0), reach(0, 1), x)
    return _blend(top, _blend(reach(1, 0), reach(1, 1), x), y)


def _blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    smooth = share**3 * (share * (share * 6 - 15) + 10)
    return first + smooth * (second - first)


def stain(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return a roundish blob whose edge fades over much of its radius.

    As of all outlines the opacity, (h, w) float32 in [0, 1], is over one half on an area of so many
    pixels and cut to where it is seen; the number of draws depends on nothing.
    """
    along, across = _axes(rng, between(rng, 1, 3))
    field = 0.5 * _perlin(rng, _GRID, 4) - np.hypot(along, across)
    return _cut(field, area, soft=rng.uniform(0.1, 0.45))


def patch(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return a rectangle at any angle with rounded corners, somewhat ragged; edges of a pixel."""
    along, across = _axes(rng, between(rng, 1, 3.3))
    field = 0.15 * _perlin(rng, _GRID, 12) - (along**6 + across**6) ** (1 / 6)
    return _cut(field, area, feather=rng.uniform(0.5, 1.5))


def islands(rng: np.random.Generator, area: float) -> np.ndarray:
    """Return the ragged islands and bays that Perlin noise has above a level."""
    along, across = _axes(rng, between(rng, 1, 3))
    field = _perlin(rng, _GRID, 6) + 0.5 * _perlin(rng, _GRID, 12) + 0.25 * _perlin(rng, _GRID, 24)
    return _cut(field - 0.3 * (along**2 + across**2), area, feather=rng.uniform(0.5, 1.5))


def _axes(rng: np.random.Generator, stretch: float) -> tuple[np.ndarray, np.ndarray]:
    """Return turned coordinates, (g, g) float32 each; stretch is length over width."""
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
    return _trim(opacity)


def _boxed(field: np.ndarray, level: float, margin: int) -> np.ndarray:
    """Return the part of a field that is above a level, and a margin around it."""
    x, y, width, height = cv2.boundingRect(np.uint8(field > level))
    rows = slice(max(y - margin, 0), y + height + margin)
    return field[rows, max(x - margin, 0) : x + width + margin]


def _trim(opacity: np.ndarray) -> np.ndarray:
    """Return an opacity that reaches 1, without its faintest fringe, cut to what is left of it."""
    opacity = np.maximum((opacity / opacity.max() - _FRINGE) / (1 - _FRINGE), 0)
    x, y, width, height = cv2.boundingRect(np.uint8(opacity > 0))
    return np.ascontiguousarray(opacity[y : y + height, x : x + width])


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
    pressure = np.clip(0.75 + _perlin(rng, 64, 5), 0.4, 1)
    opacity = opacity * cv2.resize(pressure, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return _trim(opacity)
