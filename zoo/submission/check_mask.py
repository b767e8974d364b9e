"""Whether a file is a mask: PNG of one channel and 8 bits, 0 or 255, at its image's size."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from zoo.data.image_file import FORMATS
from zoo.submission.finding import Finding

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = {2: "RGB", 3: "a palette", 4: "grey with alpha", 6: "RGBA"}


def check_mask(
    where: str, data: bytes, native_size: tuple[int, int]
) -> tuple[np.ndarray | None, list[Finding]]:
    """Read and check one mask.

    Args:
        where: Its path, for messages.
        data: The file.
        native_size: (H, W) of its image in pixels.

    Returns:
        bool (H, W), or None where there is none to compare with; and what is wrong.
    """
    wrong = _of_header(data, native_size)
    if wrong is not None:
        return None, [Finding(where, *wrong)]
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            values = np.asarray(image)
    except Exception as error:  # a damaged file may fail in any way
        reason = " ".join(str(error).split())[:120]
        return None, [Finding(where, f"cannot be read as PNG ({reason})", "damaged mask")]
    if surplus := _surplus(data, native_size):
        return None, [Finding(where, f"{surplus}: write it again with its pixels alone", "surplus")]
    marked = values == 255
    if not (marked | (values == 0)).all():
        others = sorted(set(np.unique(values).tolist()) - {0, 255})
        text = f"values {', '.join(map(str, others[:4]))}: only 0 (normal) and 255 (anomalous)"
        return None, [Finding(where, text, "values")]
    return marked, []


def _of_header(data: bytes, native_size: tuple[int, int]) -> tuple[str, str] | None:
    """Return text and kind of what the header tells, so that nothing large is decoded in vain."""
    if not data.startswith(_SIGNATURE):
        return f"no PNG but {_format(data)}: masks are PNG", "no PNG"
    try:
        width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    except struct.error:
        return "cannot be read as PNG (it ends in its header)", "damaged mask"
    if colour != 0:
        return f"{_KINDS.get(colour, 'unknown colours')}: a mask has one channel", "not one channel"
    if bits != 8:
        return f"{bits} bits: a mask has 8", "not 8 bits"
    if (height, width) != native_size:
        return f"{width}x{height}, its image is {native_size[1]}x{native_size[0]}", "wrong size"
    return None


def _surplus(data: bytes, native_size: tuple[int, int]) -> str:
    """Return what a PNG holds besides its pixels, no more of which is inflated than they need."""
    place, packed = len(_SIGNATURE), []
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if kind == b"IDAT":
            packed.append(data[place + 8 : place + 8 + length])
        place += 12 + length
        if kind == b"IEND":
            break
    if place < len(data):
        return f"{len(data) - place} bytes after the end of the image"
    height, width = native_size
    most = height * (width + 2) + 16  # a byte for each row, of which interlaced images have more
    inflated = zlib.decompressobj().decompress(b"".join(packed), most + 1)
    return "data beyond its last row" if len(inflated) > most else ""


def _format(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.format or "something else"
    except Exception:  # whatever it is
        return "no image at all" if data else "empty (0 bytes)"
