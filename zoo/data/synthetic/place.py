"""Where a defect goes: anywhere, and rather on the object where it lies on a plain ground."""

from __future__ import annotations

import cv2
import numpy as np

_THUMB = 96  # long side of the picture that is looked at
_PLAIN = 20  # grey values within which a ground is one colour
_BORDER = 0.9  # share of the border that has this colour where the ground is plain
_OBJECT = (0.02, 0.9)  # shares of the picture that an object may take
_PREFERRED = 0.8  # share of the defects that go on the object


def place(
    rng: np.random.Generator, pixels: np.ndarray, box: tuple[int, int]
) -> tuple[slice, slice]:
    """Return rows and columns for a box of the given size, inside the image.

    Args:
        rng: Source of every draw, the same number of them for every image and box.
        pixels: (H, W, 3) uint8.
        box: Height and width in pixels, at most those of the image.
    """
    seen, anywhere, chosen, within = rng.random(), rng.random(2), rng.random(), rng.random(2)
    centre = anywhere
    thing = foreground(pixels)
    if seen < _PREFERRED and thing.any():
        spots = np.argwhere(thing)
        centre = (spots[int(chosen * len(spots))] + within) / thing.shape
    size = np.array(pixels.shape[:2])
    top, left = np.clip(np.rint(centre * size - np.array(box) / 2).astype(int), 0, size - box)
    return slice(top, top + box[0]), slice(left, left + box[1])


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Return where a small copy of the image shows an object, if most of its border is one colour.

    Args:
        pixels: (H, W, 3) uint8.

    Returns:
        bool (h, w), the long side 96 or less; all False where the ground is not plain, or where
        next to nothing or nearly everything differs from it.
    """
    shrink = max(1.0, max(pixels.shape[:2]) / _THUMB)
    size = [max(1, round(side / shrink)) for side in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    edge = np.ones(small.shape[:2], bool)
    edge[1:-1, 1:-1] = False
    differs = np.abs(small - np.median(small[edge], axis=0)).max(axis=2) > _PLAIN
    plain = (~differs[edge]).mean() >= _BORDER
    return differs & (plain and _OBJECT[0] <= differs.mean() <= _OBJECT[1])
