"""Reading images and masks at native size, with errors that name the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.errors import ZooError

# What Pillow raises on damaged files; a damaged header may also claim an absurd size.
_DAMAGED = (OSError, SyntaxError, EOFError, ValueError, OverflowError, MemoryError)

# Line-scan images of production lines exceed Pillow's guard against decompression bombs; a damaged
# header must not claim all memory either.
Image.MAX_IMAGE_PIXELS = None
_MOST_PIXELS = 2**28
_LOSSY = {"JPEG", "WEBP"}


def read_image(path: Path) -> np.ndarray:
    """Read an image as RGB.

    Grey images are repeated over three channels; 16-bit ones are scaled linearly from 0..65535 to
    0..255 (of 16-bit colour Pillow keeps the high byte, at most 1 off); transparency is dropped,
    and so is a camera's note of its orientation: masks belong to the pixels as they are stored.

    Returns:
        uint8 array of shape (H, W, 3), values 0..255.

    Raises:
        ZooError: The file is missing, empty, truncated or no image, or holds numbers that are
            neither 8 nor 16 bits.
    """
    with _open(path) as image:
        return _rgb(image, f"image {path}")


def as_rgb(picture: Image.Image | np.ndarray) -> np.ndarray:
    """Return a picture from memory as `read_image` would return it from its file.

    Args:
        picture: A PIL image, or an array, uint8 or uint16, of shape (H, W) or (H, W, 1) grey,
            (H, W, 3) RGB or (H, W, 4) with transparency. OpenCV's BGR must be turned around.

    Returns:
        uint8 array of shape (H, W, 3).

    Raises:
        ZooError: Another shape or type.
    """
    if isinstance(picture, Image.Image):
        try:
            return _rgb(picture, "picture")
        except _DAMAGED as error:  # a file that Pillow opened and only reads now
            raise ZooError(f"picture cannot be read ({error}): load it again") from error
    channels = picture.shape[2] if picture.ndim == 3 else 1
    if picture.ndim not in (2, 3) or channels not in (1, 3, 4) or picture.size == 0:
        raise ZooError(f"an array of shape {picture.shape} is no picture: give (H, W, 3) or (H, W)")
    if picture.dtype == np.uint16:
        picture = np.rint(picture / 257.0).astype(np.uint8)
    elif picture.dtype != np.uint8:
        raise ZooError(f"a picture holds uint8 values 0..255, this array holds {picture.dtype}")
    pixels = picture.reshape(*picture.shape[:2], channels)[..., :3]
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        # Older Pillow widens 16-bit PNG to 32-bit integers in mode "I".
        if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
            raise ZooError(
                f"{name} holds 32-bit numbers, whose black and white nobody knows: "
                "save it with 8 or 16 bits"
            )
        scaled = np.rint(grey / 257.0).astype(np.uint8)
        return np.repeat(scaled[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))  # a copy: Pillow's own memory is read-only


def read_mask(path: Path, native_size: tuple[int, int], any_value: bool = False) -> np.ndarray:
    """Read a ground-truth mask.

    Args:
        path: An 8-bit image with values 0 and 255 (1-bit images are taken too).
        native_size: (H, W) in pixels of the image that it belongs to.
        any_value: Take every value but 0 for a defect, as labelling tools write classes.

    Returns:
        bool array of shape (H, W).

    Raises:
        ZooError: Unreadable, of another size than its image, or with values it must not hold.
    """
    with _open(path) as image:
        whole = image.mode.startswith(("I", "F")) or (any_value and image.mode == "P")
        values = np.asarray(image if whole else image.convert("L"))
        lossy = image.format in _LOSSY
    if values.shape != native_size:
        raise ZooError(
            f"mask {path} is {_size(values.shape)}, its image is {_size(native_size)}: "
            "a mask has the size of its image"
        )
    if any_value:
        if lossy:
            raise ZooError(
                f"mask {path} is a {image.format} file, whose compression smears values: "
                "save masks as PNG"
            )
        return values != 0
    defect = values == 255
    if not (defect | (values == 0)).all():
        other = sorted({int(v) for v in np.unique(values)} - {0, 255})[:4]
        raise ZooError(
            f"mask {path} holds the values {other}: only 0 (good) and 255 (defect) count"
        )
    return defect


def image_size(path: Path) -> tuple[int, int]:
    """Return (H, W) in pixels from the file's header, without decoding it."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


class _open:
    """Open and fully decode an image, so that a truncated file fails here and not later."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Image.Image:
        try:
            self.image = Image.open(self.path)
            width, height = self.image.size
            if width * height > _MOST_PIXELS:
                raise ValueError(f"its header claims {width}x{height} pixels")
            self.image.load()
        except _DAMAGED as error:
            raise _unreadable(self.path, error) from error
        return self.image

    def __exit__(self, *exc: object) -> None:
        self.image.close()


def _unreadable(path: Path, error: Exception) -> ZooError:
    path = Path(path)
    if not path.exists():
        return ZooError(f"no image at {path}: the file does not exist")
    if path.stat().st_size == 0:
        return ZooError(f"image {path} is empty (0 bytes): copy it again")
    if isinstance(error, UnidentifiedImageError):
        reason = "no image format that Pillow knows"
    else:
        reason = str(error) or type(error).__name__
    return ZooError(f"image {path} cannot be read ({reason}): copy it again or remove it")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
