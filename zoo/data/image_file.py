"""Opens an image file, images and masks alike: few formats, regular files, bounded, one page."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# They register the formats below; without them Pillow imports all that it has, PostScript included.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,
    UnidentifiedImageError,
)

from zoo.utils.errors import ZooError

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")

# Line-scan images of production lines exceed Pillow's guard against decompression bombs; a damaged
# header must not claim all memory either.
Image.MAX_IMAGE_PIXELS = None
_MAX_PIXELS = 2**28
# Of what precedes the pixels (comments, profiles, previews), and of what a file holds besides.
_MAX_HEADER_BYTES = 16 << 20
_MAX_SURPLUS_BYTES, _MAX_BYTES_PER_PIXEL = 64 << 20, 16

_BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 258, 259, 262, 274
_LOSSY_COMPRESSIONS = {6, 7, 33003, 33005, 34712, 34892, 50001, 50002}  # JPEG of all kinds, WebP
# What Pillow did to a TIFF by its note of the orientation, undone.
_UNDONE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


class ImageFile:
    """An image file whose header was read, and checked.

    Attributes:
        path: The file.
        size: (H, W) in pixels as they are stored, whatever the camera noted of its orientation.
    """

    def __init__(self, path: Path, file: io.BufferedReader[_BoundedFile], n_bytes: int) -> None:
        self.path, self._file = path, file
        self._image = Image.open(file, formats=FORMATS)
        # A phone's photograph (MPO) has previews, which are no pages.
        if self._image.format != "MPO" and (pages := getattr(self._image, "n_frames", 1)) > 1:
            raise ZooError(
                f"image {path} has {pages} pages: save each as a file of its own, such as with "
                "`magick FILE page-%03d.png`"
            )
        width, height = self._image.size
        if self._from_tiff:
            width, height = self._tag(256, width), self._tag(257, height)
            if self._image.mode.startswith("I;16") and self._tag(_PHOTOMETRIC, 1) == 0:
                raise ValueError("its 16 bits count from white to black")
        self.size = (height, width)
        if width * height > _MAX_PIXELS:
            raise ValueError(f"its header claims {width}x{height} pixels")
        if n_bytes > _MAX_SURPLUS_BYTES + _MAX_BYTES_PER_PIXEL * width * height:
            raise ValueError(f"it holds {n_bytes >> 20} MB for {width}x{height} pixels")
        file.raw.budget = sys.maxsize  # the file itself is bounded

    @property
    def has_16_bits(self) -> bool:
        """Whether its numbers are wider than 8 bits."""
        if self._image.mode.startswith("I") or self._image.mode == "F":
            return True
        if self._from_tiff:
            return max(np.atleast_1d(self._tag(_BITS_PER_SAMPLE, 1))) > 8
        return any(";16" in str(tile[3]) for tile in self._image.tile)

    @property
    def is_lossy(self) -> bool:
        """Whether its compression changes values."""
        if self._from_tiff:
            return self._tag(_COMPRESSION, 1) in _LOSSY_COMPRESSIONS
        return self._image.format in ("JPEG", "MPO")

    @property
    def format_name(self) -> str:
        """What people call the format."""
        return "JPEG" if self._image.format == "MPO" else str(self._image.format)

    def decoded(self) -> Image.Image | np.ndarray:
        """Return the pixels, all of them; a truncated file fails here.

        Returns:
            Pillow's image, or uint16 (H, W, 3) or (H, W, 4) of 16-bit colours, of which Pillow
            keeps 8 bits.
        """
        is_wide_colour = self.has_16_bits and self._image.mode in ("RGB", "RGBA", "RGBX")
        orientation = self._tag(_ORIENTATION, 1) if self._from_tiff else 1
        self._image.load()
        if not is_wide_colour:
            undone = _UNDONE.get(orientation)
            return self._image if undone is None else self._image.transpose(undone)
        self._file.seek(0)
        return _colours_of_tiff(self._file) if self._from_tiff else _colours_of_png(self._file)

    @property
    def _from_tiff(self) -> bool:
        return self._image.format == "TIFF"

    def _tag(self, tag: int, default: int) -> Any:
        assert isinstance(self._image, TiffImagePlugin.TiffImageFile)
        value = self._image.tag_v2.get(tag, default)
        return value[0] if isinstance(value, tuple) and len(value) == 1 else value


@contextmanager
def open_image(path: str | os.PathLike[str]) -> Iterator[ImageFile]:
    """Open an image file; whatever fails within the block is an error that names the file.

    Raises:
        ZooError: There is no such file, or it is none that can be read: see `ImageFile`.
    """
    path = Path(path)
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise ZooError(_irregular(path))
        with io.BufferedReader(_BoundedFile(path, opener=_without_waiting)) as file:
            yield ImageFile(path, file, info.st_size)
    except ZooError:
        raise
    except Exception as error:  # a damaged file may fail in any way
        raise _unreadable(path, error) from error


class _BoundedFile(io.FileIO):
    """A file that gives no more bytes than its budget: no header makes a decoder read for ever."""

    budget = _MAX_HEADER_BYTES

    def readinto(self, buffer: Any, /) -> int | None:
        """Read at most as many bytes as the buffer holds."""
        n_bytes = super().readinto(buffer)
        self.budget -= n_bytes or 0
        if self.budget < 0:
            raise ValueError(f"more than {_MAX_HEADER_BYTES >> 20} MB precede its pixels")
        return n_bytes


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that took its place meanwhile does not block."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _colours_of_png(file: BinaryIO) -> np.ndarray:
    import cv2

    encoded = np.frombuffer(file.read(), np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("its 16-bit colours cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _colours_of_tiff(file: BinaryIO) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        pixels = page.asarray(maxworkers=1)
        return np.moveaxis(pixels, 0, -1) if page.planarconfig == 2 else pixels


def _irregular(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder: give its images, such as Path(...).glob('*')"
    return f"{path} is no regular file but a pipe, a socket or a device: copy the image into a file"


def _unreadable(path: Path, error: Exception) -> ZooError:
    try:
        n_bytes = path.stat().st_size
    except FileNotFoundError:
        lost = "the link leads nowhere" if path.is_symlink() else "the file does not exist"
        return ZooError(f"no image at {path}: {lost}")
    except (OSError, ValueError):  # no rights, a link to itself, a name that is too long
        n_bytes = None
    if n_bytes == 0:
        return ZooError(f"image {path} is empty (0 bytes): copy it again")
    if isinstance(error, UnidentifiedImageError):
        reason = f"no image format of {', '.join(FORMATS)}"
    else:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    reason = " ".join(reason.split())[:120]
    return ZooError(f"image {path} cannot be read ({reason}): copy it again or remove it")
