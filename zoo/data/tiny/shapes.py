"""Outlines that defects have: ragged blobs, jagged flakes and wandering strokes."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.tiny.fields import smoothstep
from zoo.data.tiny.frame import Frame


def wandering_curve(
    rng: np.random.Generator, length: float, bend: float, count: int = 40
) -> np.ndarray:
    """Return (count, 2) points of a random smooth curve through the origin, x and y in units.

    Args:
        rng: Source of randomness.
        length: Length along the curve.
        bend: Typical change of direction from end to end, in radians.
        count: Number of points.
    """
    heading = rng.uniform(0, 2 * np.pi)
    turn = np.cumsum(rng.normal(0, bend / np.sqrt(count), count))
    turn = np.convolve(np.pad(turn, 6, mode="edge"), np.ones(13) / 13, mode="valid")
    step = length / count
    x = np.cumsum(np.cos(heading + turn)) * step
    y = np.cumsum(np.sin(heading + turn)) * step
    points = np.stack([x, y], axis=1)
    return points - points[count // 2]


def stroke(
    frame: Frame, centre: tuple[float, float], curve: np.ndarray, width: float, taper: bool = False
) -> np.ndarray:
    """Return the opacity of a drawn curve, (rows, columns) float32 in [0, 1].

    Args:
        frame: The field of view.
        centre: x and y of the curve's origin, in units from the top left corner.
        curve: (N, 2) x and y in units.
        width: Width in units.
        taper: Whether both ends run out thin.
    """
    # OpenCV draws antialiased lines in 8 bit only, with coordinates in 1/16 of a pixel
    canvas = np.zeros(frame.grid, np.uint8)
    points = np.round((curve + centre) * frame.pitch * 16).astype(np.int32)
    middle = (len(points) - 1) / 2
    for index in range(len(points) - 1):
        share = 1 - abs(index - middle) / (middle + 1)
        local = width * min(0.3 + 1.6 * share, 1) if taper else width
        ends = [(int(x), int(y)) for x, y in points[index : index + 2]]
        cv2.line(canvas, *ends, 255, max(round(local * frame.pitch), 1), cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def blob_distance(
    frame: Frame,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    ragged: float = 0.15,
    stretch: float = 1.0,
) -> np.ndarray:
    """Return the distance from a blob's centre, (rows, columns), 1 on its outline.

    Args:
        frame: The field of view.
        rng: Source of the outline.
        centre: x and y in units from the top left corner.
        radius: Mean radius in units.
        ragged: How far the outline departs from an ellipse, as a share of the radius.
        stretch: Length over width.
    """
    x, y = frame.coordinates()
    x = x - np.float32(centre[0] - frame.extent[0] / 2)
    y = y - np.float32(centre[1] - frame.extent[1] / 2)
    turn = rng.uniform(0, np.pi)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    root = np.float32(np.sqrt(stretch))
    along, across = (x * cosine + y * sine) / root, (y * cosine - x * sine) * root
    distance = np.sqrt(along * along + across * across) / np.float32(radius)

    # only the neighbourhood needs an outline; far away is far away
    near = distance < 2.5
    angle = np.arctan2(across[near], along[near])
    outline = np.ones_like(angle)
    for wave in range(2, 9):
        strength, phase = rng.normal(0, ragged / wave**0.5), rng.uniform(0, 2 * np.pi)
        outline += np.float32(strength) * np.cos(wave * angle + np.float32(phase))
    distance[near] /= np.clip(outline, 0.45, 1.8)
    return distance


def filled(distance: np.ndarray, radius: float, frame: Frame, soft: float = 0.0) -> np.ndarray:
    """Return the opacity of a blob from its distance field, with an edge about a grid step wide.

    Args:
        distance: From ``blob_distance``.
        radius: Its radius in units.
        frame: The field of view.
        soft: Extra half width of the edge, as a share of the radius.
    """
    edge = soft + 0.7 / max(radius * frame.pitch, 1.0)
    return smoothstep(1 + edge, 1 - edge, distance)


def flake(
    frame: Frame, rng: np.random.Generator, centre: tuple[float, float], radius: float
) -> np.ndarray:
    """Return the opacity of a jagged polygon, (rows, columns) float32 in [0, 1]."""
    count = int(rng.integers(4, 8))
    angles = np.sort(np.arange(count) * 2 * np.pi / count + rng.uniform(-0.35, 0.35, count))
    reach = radius * rng.uniform(0.6, 1.25, count)
    points = np.stack([reach * np.cos(angles), reach * np.sin(angles) * 0.75], axis=1)
    canvas = np.zeros(frame.grid, np.uint8)
    corners = np.round((points + centre) * frame.pitch * 16).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 255, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255
