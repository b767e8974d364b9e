"""Images as arrays, at native size: 8-bit RGB, whatever a file or a camera holds.

One bit depth scales the 16-bit images of a data set to 8 bits, so that equal light stays equal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.data.cache import ImageCache
from zoo.data.image_file import open_image
from zoo.utils.errors import ZooError, one_line

MIN_BIT_DEPTH, MAX_BIT_DEPTH = 8, 16
_DEPTHS = (8, 10, 12, 14, 16)  # that cameras have
_CLEARLY_FEWER = 14


def read_image(path: str | os.PathLike[str], bit_depth: int | None = None) -> np.ndarray:
    """Read an image as 8-bit RGB.

    Grey images are repeated over three channels; transparency is dropped, and so is a camera's
    note of its orientation: masks belong to the pixels as they are stored.

    Args:
        path: The file.
        bit_depth: Of 16-bit files, see `to_8_bits`.

    Returns:
        uint8 array of shape (H, W, 3), values 0..255.

    Raises:
        ZooError: The file is missing, empty, truncated or no image, has several pages, or holds
            numbers that are neither 8 nor 16 bits.
    """
    return to_8_bits(read_pixels(path), bit_depth)


def read_pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image as it is stored; errors as `read_image`.

    Returns:
        uint8 (H, W, 3), or uint16 (H, W) or (H, W, 3) of a file with 16 bits.
    """
    with open_image(path) as file:
        decoded = file.decoded()
        if isinstance(decoded, np.ndarray):
            return decoded[..., :3]
        return _pixels_of_pillow(decoded, f"image {path}")


def pixels_of(image: Image.Image | np.ndarray) -> np.ndarray:
    """Return an image from memory as `read_pixels` would return it from its file.

    Args:
        image: A PIL image, or an array, uint8 or uint16, of shape (H, W) or (H, W, 1) grey,
            (H, W, 3) RGB or (H, W, 4) with transparency. OpenCV's BGR must be turned around.

    Raises:
        ZooError: Another shape or type.
    """
    if isinstance(image, Image.Image):
        try:
            return _pixels_of_pillow(image, "the image")
        except ZooError:
            raise
        except Exception as error:  # a file that Pillow opened and only reads now
            raise ZooError(
                f"the image cannot be read ({one_line(error)}): load it again"
            ) from error
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or image.size == 0:
        raise ZooError(f"an array of shape {image.shape} is no image: give (H, W, 3) or (H, W)")
    if image.dtype not in (np.uint8, np.uint16):
        raise ZooError(
            f"an image holds values uint8 0..255 or uint16, this array holds {image.dtype}"
        )
    return image.reshape(*image.shape[:2], channels)[..., :3]


def to_8_bits(pixels: np.ndarray, bit_depth: int | None = None) -> np.ndarray:
    """Return pixels as 8-bit RGB.

    Args:
        pixels: uint8 or uint16, (H, W), (H, W, 1) or (H, W, 3). 8-bit values stay what they are.
        bit_depth: 16-bit values from 0 to 2**bit_depth - 1 are scaled linearly to 0..255, larger
            ones become 255; 16 by default.

    Returns:
        uint8 array of shape (H, W, 3).
    """
    if pixels.dtype == np.uint16:
        pixels = _table(bit_depth or MAX_BIT_DEPTH)[pixels]
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (H, W) in pixels from a file's header; nothing is decoded, errors as `read_image`."""
    with open_image(path) as file:
        return file.size


def has_16_bits(path: str | os.PathLike[str]) -> bool:
    """Whether a file's header claims more than 8 bits for a value; errors as `read_image`."""
    with open_image(path) as file:
        return file.has_16_bits


def check_bit_depth(bit_depth: int | None) -> int | None:
    """Return a bit depth as it is; a ZooError if there is none such."""
    if bit_depth is not None and not MIN_BIT_DEPTH <= bit_depth <= MAX_BIT_DEPTH:
        raise ZooError(
            f"bit_depth is {bit_depth}: use {MIN_BIT_DEPTH} to {MAX_BIT_DEPTH}, or leave it out"
        )
    return bit_depth


def find_bit_depth(paths: Iterable[Path], cache: ImageCache | None = None) -> int | None:
    """Return the smallest of 8, 10, 12, 14 and 16 bits that holds every value of the 16-bit images.

    None where all images have 8 bits, of which only headers are read; `cache` keeps what an image
    uses.

    Raises:
        ZooError: An image cannot be read.
    """
    cache = cache or ImageCache()
    used = 0
    for path in paths:
        if used <= _CLEARLY_FEWER and has_16_bits(path):
            used = max(used, _used_bits(path, cache), 1)
    return next(depth for depth in _DEPTHS if depth >= used) if used else None


def beyond_depth(
    paths: Iterable[Path], bit_depth: int | None, cache: ImageCache | None = None
) -> list[Path]:
    """Return the 16-bit images that do not fit a bit depth, see `doubt_about`."""
    cache = cache or ImageCache()
    wide = (path for path in paths if has_16_bits(path))
    return [path for path in wide if _doubt(_used_bits(path, cache), bit_depth)]


def _used_bits(path: Path, cache: ImageCache) -> int:
    """Return how many bits the largest value of a 16-bit image needs."""

    def make() -> np.ndarray:
        return np.full((1, 1, 3), _bits(read_pixels(path)), np.uint8)

    return int(cache.get(path, "used bits", make).flat[0])


def doubt_about(pixels: np.ndarray, bit_depth: int | None) -> str:
    """Return why pixels, as `read_pixels` returns them, do not fit a bit depth; "" if they do."""
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


@lru_cache
def _table(bit_depth: int) -> np.ndarray:
    """Return what every 16-bit value becomes, uint8 (65536,)."""
    scale = (2**bit_depth - 1) / 255
    return np.rint(np.arange(65536) / scale).clip(0, 255).astype(np.uint8)


def _pixels_of_pillow(image: Image.Image, name: str) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        # Older Pillow widens 16-bit PNG to 32-bit integers in mode "I".
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ZooError(
                f"{name} holds 32-bit numbers, whose black and white nobody knows: "
                "save it with 8 or 16 bits"
            )
        return values.astype(np.uint16)
    return np.array(image.convert("RGB"))  # a copy: Pillow's own memory is read-only
