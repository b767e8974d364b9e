"""Random fields, outlines and small image operations that objects and defects are made of."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from zoo.data.tiny.scene import Frame


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; ``low > high`` makes it fall."""
    ramp = value - low
    ramp *= 1 / (high - low)
    np.clip(ramp, 0, 1, out=ramp)
    steep = 3 - 2 * ramp
    steep *= ramp
    steep *= ramp
    return steep


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian of ``sigma`` grid points; (H, W) or (H, W, C), C over 1."""
    if sigma < 0.15:
        return image
    shrink = int(sigma // 3)
    if shrink < 2:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    # a wide blur has no fine detail: computing it on a coarser grid costs a fraction
    rows, columns = image.shape[:2]
    size = (max(columns // shrink, 1), max(rows // shrink, 1))
    coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / shrink)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float | tuple[float, float]
) -> np.ndarray:
    """Return a smooth random field of about unit spread; cells in grid points."""
    down, across = cell if isinstance(cell, tuple) else (cell, cell)
    if min(down, across) > 16:
        # wide bumps need few points: the cubic curve through a quarter of them looks the same
        quarter = smooth_noise(rng, (shape[0] // 4 + 1, shape[1] // 4 + 1), (down / 4, across / 4))
        return cv2.resize(quarter, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    rows, columns = int(np.ceil(shape[0] / down)) + 1, int(np.ceil(shape[1] / across)) + 1
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    size = (int(np.ceil(columns * across)), int(np.ceil(rows * down)))
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    # half a bump is cut from every side, where the stretched field is flat
    top, left = int(down / 2), int(across / 2)
    return np.ascontiguousarray(fine[top : top + shape[0], left : left + shape[1]])


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 4
) -> np.ndarray:
    """Return noise with detail at several scales: each octave half the size, 0.55 the height."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1.2:
            break
        total += 0.55**octave * smooth_noise(rng, shape, size)
    return total


def mix(below: np.ndarray, above: np.ndarray | float, alpha: np.ndarray) -> np.ndarray:
    """Lay ``above`` over ``below`` with opacity ``alpha`` (H, W), for (H, W) or (C, H, W)."""
    mixed = above - below
    mixed *= alpha
    mixed += below
    return mixed


def planes(colour: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return a colour as (C, 1, 1) float32, to be spread over (H, W)."""
    return np.asarray(colour, np.float32)[:, None, None]


def wandering_curve(
    rng: np.random.Generator, length: float, bend: float, count: int = 40
) -> np.ndarray:
    """Return (count, 2) points of a curve through the origin, in units; bend in radians."""
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
    """Return the opacity of an (N, 2) curve in units, (rows, columns) in [0, 1]."""
    # OpenCV draws antialiased lines in 8 bit only, with coordinates in 1/16 of a pixel
    canvas = np.zeros(frame.grid, np.uint8)
    points = np.round((curve + centre) * frame.pitch * 16).astype(np.int32)
    middle = (len(points) - 1) / 2
    for index in range(len(points) - 1):
        share = 1 - abs(index - middle) / (middle + 1)
        local = width * min(0.3 + 1.6 * share, 1) if taper else width
        start, end = ((int(x), int(y)) for x, y in points[index : index + 2])
        cv2.line(canvas, start, end, 255, max(round(local * frame.pitch), 1), cv2.LINE_AA, 4)
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

    Centre and mean radius are in units; `ragged` is a share of the radius, `stretch` length over
    width.
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
