"""Which images are known already: by their pixels, or by the test folder that they lie in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo.data.images import image_size, read_pixels
from zoo.data.listing import files_below
from zoo.data.splits import TEST_SPLITS
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256

_DIGITS = 16
_TEST_FOLDERS = {*TEST_SPLITS, "test"}  # of MVTec AD 2, and of MVTec AD and its likes


def image_digests(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the first 16 hex digits of the SHA-256 of every image file, sorted, each once."""
    return tuple(sorted({image_digest(path) for path in paths}))


def image_digest(path: Path) -> str:
    """Return the first 16 hex digits of the SHA-256 of an image file."""
    return file_sha256(path)[:_DIGITS]


def find_known(given: Sequence[Path], known: Sequence[Path]) -> dict[Path, Path]:
    """Return the given images that show the very pixels of a known one, and that known one.

    Only known images of the size of a given one are decoded; those that cannot be read are left
    out.

    Raises:
        ZooError: A given image cannot be read.
    """
    sizes = {image_size(path) for path in given}
    alike = [path for path in known if _size_of(path) in sizes]
    if not alike:
        return {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        by_pixels = dict(zip(threads.map(_known_pixels, alike), alike, strict=True))
        pixels = zip(given, threads.map(_pixels, given), strict=True)
        return {path: by_pixels[digest] for path, digest in pixels if digest in by_pixels}


def images_of_tests(root: Path) -> list[Path]:
    """Return the files of images below the test splits of all objects of a data set, sorted."""
    return sorted(
        path
        for split in TEST_SPLITS
        for folder in Path(root).glob(f"*/{split}")
        for path in files_below(folder).files
    )


def check_no_test_folder(paths: Iterable[Path]) -> None:
    """Raise for an image that lies in a test split, such as `test_public` beside `train/good`.

    Raises:
        ZooError: The first such image.
    """
    for folder in dict.fromkeys(path.resolve().parent for path in paths):
        for split in (folder, *folder.parents):
            if split.name in _TEST_FOLDERS and (split.parent / "train" / "good").is_dir():
                raise ZooError(
                    f"{folder} is part of the test split {split}: test images decide nothing, "
                    "neither what is learned nor a threshold; give other normal images"
                )


def _size_of(path: Path) -> tuple[int, int] | None:
    try:
        return image_size(path)
    except ZooError:
        return None


def _pixels(path: Path) -> bytes:
    pixels = read_pixels(path)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()


def _known_pixels(path: Path) -> bytes | None:
    try:
        return _pixels(path)
    except ZooError:
        return None
