"""Images as arrays, at native size: 8-bit RGB, whatever a file or a camera holds.

16-bit files often hold 10 or 12 bits. A data set has one bit depth (`zoo.data.bit_depth`), by which
its 16-bit images become 8-bit ones; without one they are scaled as if all 16 were used.
"""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
from PIL import Image

from zoo.data.image_file import open_image
from zoo.utils.errors import ZooError, one_line

MIN_BIT_DEPTH, MAX_BIT_DEPTH = 8, 16


def read_image(path: str | os.PathLike, bit_depth: int | None = None) -> np.ndarray:
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


def read_pixels(path: str | os.PathLike) -> np.ndarray:
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


def as_rgb(image: Image.Image | np.ndarray, bit_depth: int | None = None) -> np.ndarray:
    """Return an image from memory as `read_image` would; arguments and errors as `pixels_of`."""
    return to_8_bits(pixels_of(image), bit_depth)


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


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Return (H, W) in pixels from a file's header; nothing is decoded, errors as `read_image`."""
    with open_image(path) as file:
        return file.size


def has_16_bits(path: str | os.PathLike) -> bool:
    """Whether a file's header claims more than 8 bits for a value; errors as `read_image`."""
    with open_image(path) as file:
        return file.has_16_bits


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
