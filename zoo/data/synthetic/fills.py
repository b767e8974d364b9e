"""What a defect does to the pixels it covers: another light, another tone, another texture."""

from __future__ import annotations

import math

import cv2
import numpy as np

_HAZE = 32.0  # grey values of light that even black reflects
_EITHER = (64.0, 192.0)  # grey values between which a ground may get darker or brighter
_TINT = 0.08  # spread of a tone's colour: most defects are lighter or darker, few are red
_SAME = 1.0  # grey values by which a layer must differ from what it covers


def tone(
    rng: np.random.Generator,
    under: np.ndarray,
    opacity: np.ndarray,
    contrast: float,
    colourless: bool,
) -> np.ndarray:
    """Return a change of brightness with a touch of colour, (3,) float32.

    Bright ground rather gets dark and dark ground bright. The root of the mean square over the
    channels is the contrast in grey values.
    """
    ground = mean_under(opacity, under)
    dark = rng.random() < np.interp(ground.mean(), _EITHER, (0, 1))
    colour = 1 + _TINT * rng.standard_normal(3).astype(np.float32)
    if colourless:
        colour = np.ones(3, np.float32)
    elif dark:
        colour *= ground  # what gets dark keeps its colour
    colour *= contrast / root_mean_square(colour)
    return -colour if dark else colour


def painted(opacity: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Return the change by paint of one tone, (h, w, 3) float32."""
    return opacity[..., None] * shade


def relit(opacity: np.ndarray, shade: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Return the change by more or less light: what is bright changes more than what is dark."""
    ground = mean_under(opacity, under) + _HAZE
    gain = np.maximum(shade / ground, -1)
    return opacity[..., None] * gain * (under + _HAZE)


def replaced(
    opacity: np.ndarray, layer: np.ndarray, under: np.ndarray, shade: np.ndarray, contrast: float
) -> np.ndarray:
    """Return the change by a layer over the image, (h, w, 3) float32; 0 where both are the same.

    A piece of a texture does not stand out from the same texture. The layer is therefore shifted by
    a tone until it differs in the mean as much as it does pixel by pixel, and until it can have the
    contrast (root mean square in grey values) at all; its opacity does the rest.
    """
    apart = layer - under
    mean = mean_under(opacity, apart)
    natural = root_mean_square(mean)
    rough = root_mean_square(np.sqrt(mean_under(opacity, np.square(apart - mean))))
    if natural < _SAME and rough < _SAME:
        return np.zeros_like(under)
    shifted = max(natural, rough, math.sqrt(max(contrast**2 - rough**2, 0)))
    unit = shade / root_mean_square(shade)
    along = float((mean * unit).mean())
    apart += unit * (math.sqrt(along**2 + shifted**2 - natural**2) - along)
    strength = min(1.0, contrast / math.hypot(shifted, rough))
    return (strength * opacity)[..., None] * apart


def texture(
    rng: np.random.Generator, source: np.ndarray, shape: tuple[int, int], zoom: float
) -> np.ndarray:
    """Return a piece from anywhere in an image, turned and magnified, (h, w, 3) float32.

    Where the source (H, W, 3) uint8 is too small it is mirrored at its edges.
    """
    angle, anywhere = rng.uniform(0, 360), rng.random(2)
    rows, columns = shape
    reach = int(math.hypot(rows, columns) / zoom) + 3
    height, width = np.minimum(reach, source.shape[:2])
    top, left = (anywhere * (np.array(source.shape[:2]) - (height, width) + 1)).astype(int)
    piece = source[top : top + height, left : left + width]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    turn[:, 2] += ((columns - width) / 2, (rows - height) / 2)
    mirrored = cv2.BORDER_REFLECT_101
    return cv2.warpAffine(piece, turn, (columns, rows), borderMode=mirrored).astype(np.float32)


def mean_under(opacity: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of values (h, w, 3) where a defect is, (3,)."""
    return np.tensordot(opacity, values, 2) / opacity.sum()


def root_mean_square(values: np.ndarray) -> float:
    """Return the root of the mean square, a length that does not grow with the channels."""
    return float(np.sqrt(np.mean(np.square(values))))
