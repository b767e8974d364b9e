"""Whether a file is a score map or a mask as the server takes them, and nothing besides.

A map is a TIFF of one page and one channel, float16, finite. A mask is a PNG of one channel and 8
bits, 0 or 255. Both have the size of their image. Sizes are compared before anything is decoded, so
that a file unpacks to what its image needs and to no byte more.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import tifffile
from PIL import Image

from zoo.utils.errors import one_line
from zoo.vand.submission.expected import MAPS
from zoo.vand.submission.files import Finding

_MAX_METADATA_BYTES = 1 << 16  # of dates, resolutions and names of software

# Lossless, with every reader, and bounded when unpacked.
_DEFLATE = {tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE}
_ORIENTATION = 274
_DIRECTORY_TAGS = {330, 34665, 34853, 40965}  # SubIFDs, Exif, GPS, interoperability

_PNG = b"\x89PNG\r\n\x1a\n"
_COLOURS = {2: "RGB", 3: "a palette", 4: "grey with alpha", 6: "RGBA"}
# Neither compressed nor able to change what a reader sees.
_HARMLESS_CHUNKS = {b"pHYs", b"tIME", b"tEXt", b"gAMA", b"sRGB", b"cHRM", b"sBIT", b"bKGD"}
# Of each pass of an interlaced PNG: first row and column, steps between rows and columns.
_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
_ADAM7 += [(1, 0, 2, 1)]


class _Unfit(Exception):
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
    except _Unfit as error:
        text, kind = error.args
    except Exception as error:  # a damaged file may fail in any way
        text = f"cannot be read as {'TIFF' if is_map else 'PNG'} ({one_line(error, 120)})"
        kind = "damaged map" if is_map else "damaged mask"
    return None, [Finding(place, text, kind)]


def _read_map(data: bytes, native_size: tuple[int, int]) -> np.ndarray:
    if _next_page(data):
        raise _Unfit("several pages: a map has one", "not one channel")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        _check_tags(page, file.series[0].shape, native_size)
        _check_segments(page, data)
        score_map = page.asarray()
    if not np.isfinite(score_map).all():
        n_nan, n_infinite = int(np.isnan(score_map).sum()), int(np.isinf(score_map).sum())
        text = f"{n_infinite} pixels are infinite and {n_nan} NaN: shift and scale scores before"
        raise _Unfit(f"{text} the cast to float16", "not finite")
    if score_map.min() == score_map.max():
        text = f"every pixel is {score_map.flat[0]}: nothing is ranked; float16 has 11 bits"
        raise _Unfit(text, "constant map")
    return score_map


def _read_mask(data: bytes, native_size: tuple[int, int]) -> np.ndarray:
    _check_png(data, native_size)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        values = np.asarray(image)
    marked = values == 255
    if not (marked | (values == 0)).all():
        others = sorted(set(np.unique(values).tolist()) - {0, 255})
        text = f"values {', '.join(map(str, others[:4]))}: only 0 (normal) and 255 (anomalous)"
        raise _Unfit(text, "values")
    return marked


def _next_page(data: bytes) -> int:
    """Return where the directory behind the first one of a TIFF begins, 0 where there is none."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    is_big = struct.unpack_from(f"{order}H", data, 2) == (43,)
    count, entry, offset, first = ("Q", 20, "Q", 8) if is_big else ("H", 12, "I", 4)
    [place] = struct.unpack_from(order + offset, data, first)
    [n_entries] = struct.unpack_from(order + count, data, place)
    end = place + struct.calcsize(order + count) + n_entries * entry
    return int(struct.unpack_from(order + offset, data, end)[0])


def _check_tags(
    page: tifffile.TiffPage, shape: tuple[int, ...], native_size: tuple[int, int]
) -> None:
    """Raise unless this is a plain map of the right size, before anything large is decoded."""
    if len(page.shape) != 2 or len(shape) != 2:
        text = f"shape {'x'.join(map(str, shape))}: a map is height x width"
        raise _Unfit(text, "not one channel")
    if page.dtype != np.float16:
        raise _Unfit(f"{page.dtype}: a map is float16", "not float16")
    _check_size(page.shape, native_size)
    if page.compression not in {tifffile.COMPRESSION.NONE, *_DEFLATE}:
        name = getattr(page.compression, "name", page.compression)
        raise _Unfit(f"compressed by {name}: leave maps uncompressed", "compression")
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        text = "photometric is minIsWhite: readers may turn the scores around"
        raise _Unfit(text, "photometric")
    if page.tags.valueof(_ORIENTATION, 1) != 1:
        raise _Unfit("an orientation tag: readers may flip the map", "orientation")
    if any(tag.code in _DIRECTORY_TAGS for tag in page.tags):
        text = "a page within its page: a map is the only image of its file"
        raise _Unfit(text, "surplus")


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
    _check_surplus(surplus)
    for place, count, size in zip(places, counts, sizes, strict=True):
        if page.compression in _DEFLATE:
            _check_unpacked(data[place : place + count], size)
        elif count != size:
            raise _Unfit(f"a strip of {count} bytes, {size} are its pixels", "surplus")


def _check_png(data: bytes, native_size: tuple[int, int]) -> None:
    """Raise unless this is a grey PNG of 8 bits whose file holds its pixels and little else."""
    if not data.startswith(_PNG):
        raise _Unfit(f"no PNG but {len(data)} bytes of something else: masks are PNG", "no PNG")
    chunks = _chunks(data)
    kind, header = next(chunks)
    if kind != b"IHDR" or len(header) != 13:
        raise ValueError("it does not begin with its size")
    width, height, bits, colour, _, _, is_interlaced = struct.unpack(">IIBBBBB", header)
    if colour != 0:
        name = _COLOURS.get(colour, "unknown colours")
        raise _Unfit(f"{name}: a mask has one channel", "not one channel")
    if bits != 8:
        raise _Unfit(f"{bits} bits: a mask has 8", "not 8 bits")
    _check_size((height, width), native_size)
    packed, surplus = [], 0
    for kind, body in chunks:
        if kind == b"IDAT":
            packed.append(body)
        elif kind in _HARMLESS_CHUNKS:
            surplus += len(body)
        else:
            name = kind.decode("latin-1")
            raise _Unfit(f"a part '{name}' besides the pixels: save it without", "surplus")
    _check_surplus(surplus)
    steps = _ADAM7 if is_interlaced else [(0, 0, 1, 1)]
    passes = [
        (len(range(top, height, down)), len(range(left, width, right)))
        for top, left, down, right in steps
    ]
    # One byte at the beginning of each row tells how it was filtered.
    size = sum(n_rows * (n_columns + 1) for n_rows, n_columns in passes if n_columns)
    _check_unpacked(b"".join(packed), size)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the parts of a PNG up to its end; nothing may follow."""
    place, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        [checksum] = struct.unpack_from(">I", data, place + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise ValueError("a checksum is wrong")
        place += 12 + length
        if kind != b"IEND":
            yield kind, body
    if len(data) > place or body:
        raise _Unfit(f"{len(data) - place + len(body)} bytes behind its end", "surplus")


def _check_size(size: tuple[int, ...], native_size: tuple[int, int]) -> None:
    if size != native_size:
        text = f"{size[1]}x{size[0]}, its image is {native_size[1]}x{native_size[0]}"
        raise _Unfit(text, "wrong size")


def _check_surplus(n_bytes: int) -> None:
    if n_bytes > _MAX_METADATA_BYTES:
        raise _Unfit(f"{n_bytes} bytes besides the pixels: save nothing else with them", "surplus")


def _check_unpacked(packed: bytes, size: int) -> None:
    """Raise unless a zlib stream unpacks to exactly so many bytes, and ends there."""
    stream = zlib.decompressobj()
    n_bytes = len(stream.decompress(packed, size + 1))
    if n_bytes > size or stream.unused_data:
        raise _Unfit(f"it unpacks to more than its {size} bytes of pixels", "surplus")
    if n_bytes < size or not stream.eof:
        raise ValueError("its pixels are cut off")
