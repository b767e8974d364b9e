"""Whether a file is a score map or a mask as the server takes them.

A map is a TIFF of one page and one channel, float16, finite. A mask is a PNG of one channel and 8
bits, 0 or 255. Both have the size of their image. Sizes are compared before anything is decoded, so
that a file unpacks to little more than its image needs.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import tifffile
from PIL import Image

from zoo.utils.errors import one_line
from zoo.vand.submission.expected import MAPS
from zoo.vand.submission.reading import Finding

# Of a file besides its pixels: dates, resolutions, names of software, places of strips.
_MAX_METADATA_BYTES = 1 << 16
# Lossless, with every reader, and bounded when unpacked.
_DEFLATE = {tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE}
_ORIENTATION = 274
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"
_COLOURS = {2: "RGB", 3: "a palette", 4: "grey with alpha", 6: "RGBA"}


class _Invalid(Exception):
    """Text and kind of what is wrong with a file."""


def check_file(
    place: str, data: bytes, native_size: tuple[int, int]
) -> tuple[np.ndarray | None, list[Finding]]:
    """Read and check one score map or mask.

    Args:
        place: Its path below the submission's folder, which tells map from mask.
        data: The file.
        native_size: (H, W) of its image in pixels.

    Returns:
        float16 (H, W) of a map, bool (H, W) of a mask, or None where it cannot be compared; and
        what is wrong.
    """
    is_map = place.startswith(f"{MAPS}/")
    read: Callable[[bytes, tuple[int, int]], np.ndarray] = _read_map if is_map else _read_mask
    try:
        return read(data, native_size), []
    except _Invalid as error:
        text, kind = error.args
    except Exception as error:  # a damaged file may fail in any way
        text = f"cannot be read as {'TIFF' if is_map else 'PNG'} ({one_line(error, 120)})"
        kind = "damaged map" if is_map else "damaged mask"
    return None, [Finding(place, text, kind)]


def _read_map(data: bytes, native_size: tuple[int, int]) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, shape = file.pages.first, file.series[0].shape
        if len(file.pages) > 1 or len(page.shape) != 2 or len(shape) != 2:
            text = f"{len(file.pages)} pages, shape {'x'.join(map(str, shape))}"
            raise _Invalid(f"{text}: a map is one page of height x width", "not one channel")
        if page.dtype != np.float16:
            raise _Invalid(f"{page.dtype}: a map is float16", "not float16")
        _check_size(page.shape, native_size)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            text = "photometric is minIsWhite: readers may turn the scores around"
            raise _Invalid(text, "photometric")
        if page.tags.valueof(_ORIENTATION, 1) != 1:
            raise _Invalid("an orientation tag: readers may flip the map", "orientation")
        _check_surplus(len(data) - 2 * native_size[0] * native_size[1])
        _check_segments(page, data)
        score_map = page.asarray()
    if not np.isfinite(score_map).all():
        n_nan, n_infinite = int(np.isnan(score_map).sum()), int(np.isinf(score_map).sum())
        text = f"{n_infinite} pixels are infinite and {n_nan} NaN: shift and scale scores before"
        raise _Invalid(f"{text} the cast to float16", "not finite")
    if score_map.min() == score_map.max():
        text = f"every pixel is {score_map.flat[0]}: nothing is ranked; float16 has 11 bits"
        raise _Invalid(text, "constant map")
    return score_map


def _check_segments(page: tifffile.TiffPage, data: bytes) -> None:
    """Raise unless each strip or tile unpacks to its own pixels and no more."""
    height, width = page.shape
    if page.is_tiled:
        n_segments = -(-height // page.tilelength) * -(-width // page.tilewidth)
        size = page.tilelength * page.tilewidth * 2
    else:
        rows = min(page.rowsperstrip, height) or height
        n_segments, size = -(-height // rows), rows * width * 2
    places, counts = page.dataoffsets, page.databytecounts
    # A tile may be larger than its map; far larger ones only take memory.
    if not n_segments == len(places) == len(counts) or size > 2 * len(data) + (1 << 24):
        raise _Invalid(f"{len(counts)} strips or tiles, {n_segments} expected", "damaged map")
    if page.compression in _DEFLATE:
        for place, count in zip(places, counts, strict=True):
            stream = zlib.decompressobj()
            if len(stream.decompress(data[place : place + count], size + 1)) > size:
                raise _Invalid(f"a strip unpacks to more than {size} bytes of pixels", "surplus")
    elif page.compression != tifffile.COMPRESSION.NONE:
        name = getattr(page.compression, "name", page.compression)
        raise _Invalid(f"compressed by {name}: leave maps uncompressed", "compression")


def _read_mask(data: bytes, native_size: tuple[int, int]) -> np.ndarray:
    if not data.startswith(_PNG):
        raise _Invalid(f"no PNG but {len(data)} bytes of something else: masks are PNG", "no PNG")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, len(_PNG))
    if colour != 0:
        name = _COLOURS.get(colour, "unknown colours")
        raise _Invalid(f"{name}: a mask has one channel", "not one channel")
    if bits != 8:
        raise _Invalid(f"{bits} bits: a mask has 8", "not 8 bits")
    _check_size((height, width), native_size)
    _check_surplus(len(data) - height * (width + 1))
    # Text and profiles are bounded by Pillow, pixels by the size above.
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        values = np.asarray(image)
        if getattr(image, "n_frames", 1) > 1:
            raise _Invalid("several images in one file: a mask has one", "surplus")
    if not data.endswith(_PNG_END):
        raise _Invalid("the file does not end where its PNG ends: save it anew", "surplus")
    marked = values == 255
    if not (marked | (values == 0)).all():
        others = sorted(set(np.unique(values).tolist()) - {0, 255})
        text = f"values {', '.join(map(str, others[:4]))}: only 0 (normal) and 255 (anomalous)"
        raise _Invalid(text, "values")
    return marked


def _check_size(size: tuple[int, ...], native_size: tuple[int, int]) -> None:
    if size != native_size:
        text = f"{size[1]}x{size[0]}, its image is {native_size[1]}x{native_size[0]}"
        raise _Invalid(text, "wrong size")


def _check_surplus(n_bytes: int) -> None:
    if n_bytes > _MAX_METADATA_BYTES:
        raise _Invalid(
            f"{n_bytes} bytes besides the pixels: save nothing else with them", "surplus"
        )
