"""Writes map and mask of one image: float16 TIFF and 8-bit PNG, each complete or not there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tifffile

from zoo.utils.atomic import ASIDE, atomic_path, write_bytes
from zoo.vand.submission.tree import MAPS, MASKS, Image

# A fixed level, so that equal masks are equal files; masks are so plain that others gain nothing.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def write_pair(folder: Path, image: Image, encoded: np.ndarray, mask: np.ndarray) -> None:
    """Write both files of an image; the mask comes last and says that the pair is complete.

    Args:
        folder: The submission's folder.
        image: The image.
        encoded: float16 (H, W).
        mask: bool (H, W), True where defective.
    """
    for tree in (MAPS, MASKS):
        (folder / image.place(tree)).parent.mkdir(parents=True, exist_ok=True)
    target = folder / image.place(MAPS)
    with atomic_path(target) as aside:
        # Without metadata the file holds the map and nothing else: no shape, no software, no date.
        tifffile.imwrite(aside, encoded, photometric="minisblack", metadata=None, software=False)
    # cv2.imwrite fails silently, and on names that Windows writes in another alphabet.
    png = cv2.imencode(".png", mask.view(np.uint8) * 255, _PNG)[1]
    write_bytes(folder / image.place(MASKS), png.tobytes())


def is_written(folder: Path, image: Image) -> bool:
    """Whether both files of an image are there."""
    return all((folder / image.place(tree)).is_file() for tree in (MAPS, MASKS))


def remove_begun(folder: Path) -> None:
    """Remove files that an interrupted command had only begun."""
    for path in folder.rglob(f"{ASIDE}*"):
        path.unlink()
