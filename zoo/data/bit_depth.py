"""The bit depth of a data set: how many of their 16 bits its 16-bit images really use.

Cameras give 10 or 12 bits and save them in 16, where all they saw lies at the dark end. One depth
scales all images of a data set, also those that are predicted later: equal light stays equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from zoo.data.cache import ImageCache
from zoo.data.images import MAX_BIT_DEPTH, MIN_BIT_DEPTH, has_16_bits, read_pixels
from zoo.utils.errors import ZooError

_DEPTHS = (8, 10, 12, 14, 16)  # that cameras have
_CLEARLY_FEWER = 14


def check_bit_depth(bit_depth: int | None) -> int | None:
    """Return a bit depth that a person gave.

    Raises:
        ZooError: There is no such depth.
    """
    if bit_depth is not None and not MIN_BIT_DEPTH <= bit_depth <= MAX_BIT_DEPTH:
        raise ZooError(
            f"bit_depth is {bit_depth}: use {MIN_BIT_DEPTH} to {MAX_BIT_DEPTH}, or leave it out"
        )
    return bit_depth


def find_bit_depth(paths: Iterable[Path], cache: ImageCache | None = None) -> int | None:
    """Return the smallest of 8, 10, 12, 14 and 16 bits that holds every value of the 16-bit images.

    Args:
        paths: The images; only headers are read of those with 8 bits.
        cache: Keeps what was found of an image.

    Returns:
        The depth; None where all images have 8 bits.

    Raises:
        ZooError: An image cannot be read.
    """
    cache = cache or ImageCache()
    used = 0
    for path in paths:
        if used <= _CLEARLY_FEWER and has_16_bits(path):
            used = max(used, used_bits(path, cache), 1)
    return next(depth for depth in _DEPTHS if depth >= used) if used else None


def beyond_depth(
    paths: Iterable[Path], bit_depth: int | None, cache: ImageCache | None = None
) -> list[Path]:
    """Return the 16-bit images that `doubt_about` doubts; arguments as `find_bit_depth`."""
    cache = cache or ImageCache()
    wide = (path for path in paths if has_16_bits(path))
    return [path for path in wide if _doubt(used_bits(path, cache), bit_depth)]


def used_bits(path: Path, cache: ImageCache) -> int:
    """Return how many bits the largest value of a 16-bit image needs."""

    def found() -> np.ndarray:
        return np.full((1, 1, 3), _bits(read_pixels(path)), np.uint8)

    return int(cache.get(path, "used bits", found).flat[0])


def doubt_about(pixels: np.ndarray, bit_depth: int | None) -> str:
    """Return what is to be said where pixels do not fit the bit depth of a data set; mostly "".

    Args:
        pixels: Of one image, as `zoo.data.images.read_pixels` returns them.
        bit_depth: Of the data set; None where its images have 8 bits.
    """
    return "" if pixels.dtype == np.uint8 else _doubt(_bits(pixels), bit_depth)


def _bits(pixels: np.ndarray) -> int:
    return int(pixels.max()).bit_length()


def _doubt(used: int, bit_depth: int | None) -> str:
    if bit_depth is not None and used > bit_depth:
        return (
            f"holds values of {used} bits, and 16-bit images are read as {bit_depth} bits: larger "
            f"values are cut off; fit again with --data.bit_depth {used}"
        )
    if bit_depth is None and 0 < used <= _CLEARLY_FEWER:
        return (
            f"holds {used} of 16 bits, and images of the fit have 8: it is scaled by 16 bits, and "
            "nearly black; save it with 8 bits, or fit on 16-bit images"
        )
    return ""
