"""Whether a file is a score map or a mask as the server takes them, and nothing besides.

A map is a TIFF of one page and one channel, float16, finite. A mask is a PNG of one channel and 8
bits, 0 or 255. Both have the size of their image. Sizes are compared before anything is decoded, so
that a file unpacks to what its image needs and to no byte more.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image

from zoo.vand.submission.finding import Finding

# Of dates, resolutions and names of software.
_MOST_METADATA_BYTES = 1 << 16

# Lossless, with every reader, and bounded when unpacked.
_DEFLATE = {tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE}
_ORIENTATION = 274
_DIRECTORY_TAGS = {330, 34665, 34853, 40965}  # SubIFDs, Exif, GPS, interoperability
_MOST_PAGES = 1000  # that are counted

_PNG = b"\x89PNG\r\n\x1a\n"
_COLOURS = {2: "RGB", 3: "a palette", 4: "grey with alpha", 6: "RGBA"}
# Neither compressed nor able to change what a reader sees.
_HARMLESS_CHUNKS = {b"pHYs", b"tIME", b"tEXt", b"gAMA", b"sRGB", b"cHRM", b"sBIT", b"bKGD"}
# Of each pass of an interlaced PNG: first row and column, steps between rows and columns.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
_PASSES += ((1, 0, 2, 1),)


class _Unfit(Exception):
    """Text and kind of what is wrong with a file."""


def check_map(
    where: str, data: bytes, native_size: tuple[int, int]
) -> tuple[np.ndarray | None, list[Finding]]:
    """Read and check one score map.

    Args:
        where: Its path, for messages.
        data: The file.
        native_size: (H, W) of its image in pixels.

    Returns:
        float16 (H, W), or None where it cannot be compared with a mask; and what is wrong.
    """
    try:
        n_pages = _count_pages(data)
        if n_pages != 1:
            raise _Unfit(f"{n_pages} pages: a map has one", "not one channel")
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            wrong = next(_of_page(file, native_size), None)
            if wrong is not None:
                raise _Unfit(*wrong)
            _check_segments(file.pages[0], data)
            score_map = file.pages[0].asarray()
    except _Unfit as error:
        return None, [Finding(where, *error.args)]
    except Exception as error:  # a damaged file may fail in any way
        return None, [Finding(where, f"cannot be read as TIFF ({_brief(error)})", "damaged map")]
    if not np.isfinite(score_map).all():
        n_nan, n = int(np.isnan(score_map).sum()), int((~np.isfinite(score_map)).sum())
        text = f"{n - n_nan} pixels are infinite and {n_nan} NaN: shift and scale scores before the"
        return None, [Finding(where, f"{text} cast to float16", "not finite")]
    if score_map.min() == score_map.max():
        text = f"every pixel is {score_map.flat[0]}: nothing is ranked; float16 has 11 bits"
        return None, [Finding(where, text, "constant map")]
    return score_map, []


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
    try:
        _check_png(data, native_size)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            values = np.asarray(image)
    except _Unfit as error:
        return None, [Finding(where, *error.args)]
    except Exception as error:  # a damaged file may fail in any way
        return None, [Finding(where, f"cannot be read as PNG ({_brief(error)})", "damaged mask")]
    marked = values == 255
    if not (marked | (values == 0)).all():
        others = sorted(set(np.unique(values).tolist()) - {0, 255})
        text = f"values {', '.join(map(str, others[:4]))}: only 0 (normal) and 255 (anomalous)"
        return None, [Finding(where, text, "values")]
    return marked, []


def _count_pages(data: bytes) -> int:
    """Return how many directories of a TIFF follow one another; they may form a circle."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    is_big = struct.unpack_from(f"{order}H", data, 2) == (43,)
    count, entry, offset, first = ("Q", 20, "Q", 8) if is_big else ("H", 12, "I", 4)
    [place] = struct.unpack_from(order + offset, data, first)
    seen: set[int] = set()
    while place and len(seen) < _MOST_PAGES:
        if place in seen:
            raise _Unfit("its pages form a circle: a map has one", "not one channel")
        seen.add(place)
        [n_entries] = struct.unpack_from(order + count, data, place)
        place += struct.calcsize(order + count) + n_entries * entry
        [place] = struct.unpack_from(order + offset, data, place)
    return len(seen)


def _of_page(file: tifffile.TiffFile, native_size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield text and kind of what the tags tell, so that nothing large is decoded in vain."""
    page = file.pages[0]
    shape = file.series[0].shape
    if len(page.shape) != 2 or len(shape) != 2:
        yield f"shape {'x'.join(map(str, shape))}: a map is height x width", "not one channel"
    if page.dtype != np.float16:
        yield f"{page.dtype}: a map is float16", "not float16"
    if page.shape != native_size:
        height, width = page.shape[:2]
        yield f"{width}x{height}, its image is {native_size[1]}x{native_size[0]}", "wrong size"
    if page.compression not in {tifffile.COMPRESSION.NONE, *_DEFLATE}:
        name = getattr(page.compression, "name", page.compression)
        yield f"compressed by {name}: leave maps uncompressed", "compression"
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        yield "photometric is minIsWhite: readers may turn the scores around", "photometric"
    if page.tags.valueof(_ORIENTATION, 1) != 1:
        yield "an orientation tag: readers may flip the map", "orientation"
    if any(tag.code in _DIRECTORY_TAGS for tag in page.tags):
        yield "a page within its page: a map is the only image of its file", "surplus"


def _check_segments(page: tifffile.TiffPage, data: bytes) -> None:
    """Raise unless strips or tiles hold the map and the file holds little else."""
    height, width = page.shape
    if page.is_tiled:
        n_tiles = -(-height // page.tilelength) * -(-width // page.tilewidth)
        sizes = [page.tilelength * page.tilewidth * 2] * n_tiles
    else:
        rows = min(page.rowsperstrip, height) or height
        sizes = [min(rows, height - top) * width * 2 for top in range(0, height, rows)]
    places, counts = page.dataoffsets, page.databytecounts
    if not len(sizes) == len(places) == len(counts):
        raise _Unfit(f"{len(counts)} strips or tiles, {len(sizes)} expected", "damaged map")
    surplus = len(data) - sum(counts) - 16 * len(sizes)
    if surplus < 0:
        raise _Unfit("its strips lie over each other", "damaged map")
    if surplus > _MOST_METADATA_BYTES:
        raise _Unfit(f"{surplus} bytes besides the map: save nothing else with it", "surplus")
    for place, count, size in zip(places, counts, sizes, strict=True):
        if page.compression in _DEFLATE:
            _unpacked(data[place : place + count], size)
        elif count != size:
            raise _Unfit(f"a strip of {count} bytes, {size} are its pixels", "surplus")


def _check_png(data: bytes, native_size: tuple[int, int]) -> None:
    """Raise unless this is a grey PNG of 8 bits whose file holds its pixels and little else."""
    if not data.startswith(_PNG):
        raise _Unfit(f"no PNG but {_format(data)}: masks are PNG", "no PNG")
    chunks = _chunks(data)
    kind, header = next(chunks)
    if kind != b"IHDR" or len(header) != 13:
        raise ValueError("it does not begin with its size")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour != 0:
        name = _COLOURS.get(colour, "unknown colours")
        raise _Unfit(f"{name}: a mask has one channel", "not one channel")
    if bits != 8:
        raise _Unfit(f"{bits} bits: a mask has 8", "not 8 bits")
    if (height, width) != native_size:
        text = f"{width}x{height}, its image is {native_size[1]}x{native_size[0]}"
        raise _Unfit(text, "wrong size")
    packed, surplus = [], 0
    for kind, body in chunks:
        if kind == b"IDAT":
            packed.append(body)
        elif kind in _HARMLESS_CHUNKS:
            surplus += len(body)
        else:
            name = kind.decode("latin-1")
            raise _Unfit(f"a part '{name}' besides the pixels: save it without", "surplus")
    if surplus > _MOST_METADATA_BYTES:
        raise _Unfit(f"{surplus} bytes besides the pixels: save it without them", "surplus")
    # One byte at the beginning of each row says how it was filtered.
    n_bytes = height * (width + 1)
    if interlaced:
        n_bytes = sum(
            n_rows * (n_columns + 1)
            for top, left, down, right in _PASSES
            if (n_rows := len(range(top, height, down)))
            and (n_columns := len(range(left, width, right)))
        )
    _unpacked(b"".join(packed), n_bytes)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the parts of a PNG up to its end; nothing may follow."""
    place = len(_PNG)
    while True:
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        [checksum] = struct.unpack_from(">I", data, place + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise ValueError("a checksum is wrong")
        place += 12 + length
        if kind == b"IEND":
            break
        yield kind, body
    if len(data) > place or body:
        raise _Unfit(f"{len(data) - place + len(body)} bytes behind its end", "surplus")


def _unpacked(packed: bytes, size: int) -> None:
    """Raise unless a zlib stream unpacks to exactly so many bytes, and ends there."""
    stream = zlib.decompressobj()
    n_bytes = len(stream.decompress(packed, size + 1))
    if n_bytes > size or stream.unused_data:
        raise _Unfit(f"it unpacks to more than its {size} bytes of pixels", "surplus")
    if n_bytes < size or not stream.eof:
        raise ValueError("its pixels are cut off")


def _format(data: bytes) -> str:
    if not data:
        return "empty (0 bytes)"
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "BMP", "TIFF"]) as image:
            return image.format
    except Exception:  # whatever it is
        return "something else"


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
