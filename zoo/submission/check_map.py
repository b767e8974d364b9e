"""Whether a file is a score map that can rank pixels: a TIFF of one channel, float16, finite."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import tifffile

from zoo.data.tiff_pages import count_pages
from zoo.submission.finding import Finding

# Lossless ones that every reader has; tifffile itself reads these without more packages.
_COMPRESSIONS = {
    tifffile.COMPRESSION.NONE,
    tifffile.COMPRESSION.ADOBE_DEFLATE,
    tifffile.COMPRESSION.DEFLATE,
    tifffile.COMPRESSION.LZW,
    tifffile.COMPRESSION.PACKBITS,
}
_ORIENTATION = 274


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
        n_pages = count_pages(io.BytesIO(data))
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            wrong = next(_of_header(file, n_pages, native_size), None)
            if wrong is not None:
                return None, [Finding(where, *wrong)]
            score_map = file.pages[0].asarray()
    except Exception as error:  # a damaged file may fail in any way
        reason = " ".join(str(error).split())[:120]
        return None, [Finding(where, f"cannot be read as TIFF ({reason})", "damaged map")]
    if not np.isfinite(score_map).all():
        n_nan, n = int(np.isnan(score_map).sum()), int((~np.isfinite(score_map)).sum())
        text = f"{n - n_nan} pixels are infinite and {n_nan} NaN: shift and scale scores before the"
        return None, [Finding(where, f"{text} cast to float16", "not finite")]
    if score_map.min() == score_map.max():
        text = f"every pixel is {score_map.flat[0]}: nothing is ranked; float16 has 11 bits"
        return None, [Finding(where, text, "constant map")]
    return score_map, []


def _of_header(
    file: tifffile.TiffFile, n_pages: int, native_size: tuple[int, int]
) -> Iterator[tuple[str, str]]:
    """Yield text and kind of what the header tells, so that nothing large is decoded in vain."""
    if max(n_pages, len(file.pages)) != 1:
        yield f"{max(n_pages, len(file.pages))} pages: a map has one", "not one channel"
        return
    page = file.pages[0]
    shape = file.series[0].shape
    if len(page.shape) != 2 or len(shape) != 2:
        yield f"shape {'x'.join(map(str, shape))}: a map is height x width", "not one channel"
    if page.dtype != np.float16:
        yield f"{page.dtype}: a map is float16", "not float16"
    if page.shape != native_size:
        height, width = page.shape[:2]
        yield f"{width}x{height}, its image is {native_size[1]}x{native_size[0]}", "wrong size"
    if page.compression not in _COMPRESSIONS:
        yield f"compressed by {page.compression.name}: leave maps uncompressed", "compression"
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        yield "photometric is minIsWhite: readers may turn the scores around", "photometric"
    if page.tags.valueof(_ORIENTATION, 1) != 1:
        yield "an orientation tag: readers may flip the map", "orientation"
