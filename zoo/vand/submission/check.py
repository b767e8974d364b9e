"""The checker: everything that the server rejects, and what it takes although it is wrong.

The official checker looks at names, channels and value types. It lets wrong sizes, infinities,
constant maps, palettes and reversed polarity pass, which cost a place in the ranking or an upload.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from zoo.utils.errors import ZooError
from zoo.vand.submission.check_images import check_map, check_mask
from zoo.vand.submission.check_polarity import Polarity
from zoo.vand.submission.check_tree import check_tree
from zoo.vand.submission.files import ArchiveFiles, FolderFiles
from zoo.vand.submission.finding import Finding
from zoo.vand.submission.tree import MAPS, MASKS, Expected, Image

_Item = TypeVar("_Item")
Count = Callable[[Iterable[_Item], int, str], Iterable[_Item]]
# No honest file is larger: float64 without compression, and room for a header.
_MOST_BYTES_PER_PIXEL, _HEADER_BYTES = 8, 1 << 20
# Of a whole archive: maps of float64, masks of RGBA, and the notes that systems leave beside files.
_MOST_BYTES_OF_PAIR, _MOST_OTHER_BYTES = 12, 64 << 20
_MOST_MEMBERS_PER_FILE, _MOST_OTHER_MEMBERS = 8, 1000


def check(
    path: Path, expected: Expected, count: Count = lambda items, total, doing: items
) -> list[Finding]:
    """Check a submission and return everything that is wrong with it; an empty list is a pass.

    An archive is streamed twice, masks first; memory stays constant.

    Args:
        path: A folder that holds `anomaly_images`, or an archive.
        expected: The images that it must judge.
        count: Wraps what is worked through, to show how far it is.

    Raises:
        ZooError: Nothing is there, it is no gzip file, it is truncated, or it unpacks to far more
            than a submission.
    """
    files = _files(path, expected)
    total = len(expected.images)
    with MaskSpool() as masks:
        names, found = _look_at_masks(files, expected, masks, count)
        broken = [*files.findings, *check_tree(names, expected)]
        wanted = _Wanted(expected, MAPS)
        polarity, seen = Polarity(), {}
        scanned = ((place, data) for place, data in files.scan(wanted) if data is not None)
        for place, data in count(scanned, total, "maps"):
            image = expected.by_place[place]
            score_map, wrong = check_map(place, data, image.native_size)
            found += wrong
            twin = seen.setdefault(hashlib.blake2b(data, digest_size=16).digest(), place)
            if twin != place and score_map is not None:
                text = f"the same map as {twin}: is one of them a copy?"
                found.append(Finding(place, text, "same map", "warning"))
            mask = masks.get(image)
            if score_map is not None and mask is not None:
                found += polarity.update(image, score_map, mask)
    return [*broken, *found, *wanted.findings, *polarity.result()]


def _look_at_masks(
    files: FolderFiles | ArchiveFiles, expected: Expected, masks: MaskSpool, count: Count
) -> tuple[list[str], list[Finding]]:
    """Read all names and all masks; keep the masks that are sound."""
    names, found = [], []
    wanted = _Wanted(expected, MASKS)
    for place, data in count(files.scan(wanted), 2 * len(expected.images), "names and masks"):
        names.append(place)
        if data is None:
            continue
        image = expected.by_place[place]
        mask, wrong = check_mask(place, data, image.native_size)
        found += wrong
        if mask is not None:
            masks.put(image, mask)
    return names, [*found, *wanted.findings]


class _Wanted:
    """Says which files are read: those of one tree that are expected and of a credible size."""

    def __init__(self, expected: Expected, tree: str) -> None:
        self._by_place, self._tree = expected.by_place, f"{tree}/"
        self.findings: list[Finding] = []

    def __call__(self, place: str, n_bytes: int) -> bool:
        if not place.startswith(self._tree) or place not in self._by_place:
            return False
        height, width = self._by_place[place].native_size
        if n_bytes <= height * width * _MOST_BYTES_PER_PIXEL + _HEADER_BYTES:
            return True
        text = f"{n_bytes} bytes for {width}x{height} pixels: far too large, it was not read"
        self.findings.append(Finding(place, text, "too large"))
        return False


class MaskSpool:
    """Masks of a whole submission on disk, a bit per pixel and compressed."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="anomalib-zoo-")  # noqa: SIM115 - `__exit__` does
        self._places: dict[Image, tuple[int, int]] = {}

    def put(self, image: Image, mask: np.ndarray) -> None:
        """Keep a mask, bool (H, W) of the image's native size."""
        data = zlib.compress(np.packbits(mask).tobytes(), 1)
        self._places[image] = self._file.seek(0, 2), len(data)
        self._file.write(data)

    def get(self, image: Image) -> np.ndarray | None:
        """Return the mask of an image, or None if none was kept."""
        if image not in self._places:
            return None
        offset, length = self._places[image]
        self._file.seek(offset)
        bits = np.frombuffer(zlib.decompress(self._file.read(length)), np.uint8)
        height, width = image.native_size
        return np.unpackbits(bits, count=height * width).view(bool).reshape(height, width)

    def __enter__(self) -> MaskSpool:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def _files(path: Path, expected: Expected) -> FolderFiles | ArchiveFiles:
    if path.is_file():
        most_members = _MOST_MEMBERS_PER_FILE * len(expected.by_place) + _MOST_OTHER_MEMBERS
        most_bytes = _MOST_BYTES_OF_PAIR * expected.n_pixels + _MOST_OTHER_BYTES
        return ArchiveFiles(path, most_members, most_bytes)
    if not path.is_dir():
        raise ZooError(f"no submission at {path}: it does not exist")
    inner = [each for each in path.iterdir() if (each / MAPS).is_dir()]
    if not (path / MAPS).exists() and len(inner) == 1:
        raise ZooError(f"{path} holds no {MAPS}: did you mean {inner[0]}?")
    return FolderFiles(path)
