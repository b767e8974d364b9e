"""The checker: everything that the server rejects, and what it takes although it is wrong.

The official checker looks at names, channels and value types. It lets wrong sizes, infinities,
constant maps, palettes and reversed polarity pass, which cost a place in the ranking or an upload.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from zoo.utils.errors import ZooError
from zoo.utils.progress import counted
from zoo.vand.submission.check_files import check_file
from zoo.vand.submission.expected import MAPS, MASKS, Expected, Image, few
from zoo.vand.submission.reading import Finding, scan_archive, scan_folder

# No honest file is larger: float64 without compression, and room for a header.
_MAX_BYTES_PER_PIXEL, _HEADER_BYTES = 8, 1 << 20
# Of a whole archive: maps of float64, masks of RGBA, and the notes that systems leave beside files.
_MAX_BYTES_OF_PAIR, _MAX_OTHER_BYTES = 12, 64 << 20
_MAX_MEMBERS_PER_FILE, _MAX_OTHER_MEMBERS = 8, 1000
_MAX_SAMPLES = 1 << 16  # enough for a median
_FEW = 3  # pairs; below that a majority means nothing
_SHOWN = 3  # findings of each kind; thousands of equal lines help nobody


def check(path: Path, expected: Expected) -> list[Finding]:
    """Check a submission and return everything that is wrong with it; an empty list is a pass.

    An archive is streamed twice, masks first; memory stays constant.

    Args:
        path: A folder that holds `anomaly_images`, or an archive.
        expected: The images that it must hold.

    Raises:
        ZooError: Nothing is there, it is no gzip file, it is truncated, or it unpacks to far more
            than a submission.
    """
    found: list[Finding] = []
    names: list[str] = []
    masks: dict[Image, bytes] = {}  # a bit per pixel and compressed: some KB each
    n_images = len(expected.images)
    scanned = _scan(path, expected, MASKS, found)
    for place, data in counted(scanned, 2 * n_images, "names and masks"):
        names.append(place)
        if data is None:
            continue
        image = expected.by_place[place]
        mask, problems = check_file(place, data, image.native_size)
        found += problems
        if mask is not None:
            masks[image] = zlib.compress(np.packbits(mask).tobytes(), 1)
    found += check_names(names, expected)
    polarity, twins = _Polarity(), dict[bytes, str]()
    scanned = _scan(path, expected, MAPS, found)
    maps = ((place, data) for place, data in scanned if data is not None)
    for place, data in counted(maps, n_images, "maps"):
        image = expected.by_place[place]
        score_map, problems = check_file(place, data, image.native_size)
        found += problems
        if score_map is None:
            continue
        twin = twins.setdefault(hashlib.blake2b(data, digest_size=16).digest(), place)
        if twin != place:
            text = f"the same map as {twin}: is one of them a copy?"
            found.append(Finding(place, text, "same map", "warning"))
        if image in masks:
            bits = np.frombuffer(zlib.decompress(masks[image]), np.uint8)
            mask = np.unpackbits(bits, count=score_map.size).view(bool).reshape(score_map.shape)
            found += polarity.compare(image, score_map, mask)
    return list(dict.fromkeys([*found, *polarity.result()]))


def _scan(
    path: Path, expected: Expected, tree: str, found: list[Finding]
) -> Iterator[tuple[str, bytes | None]]:
    """Yield all paths of a submission, with the content of the expected files of one tree."""

    def is_read(place: str, n_bytes: int) -> bool:
        if not place.startswith(f"{tree}/") or place not in expected.by_place:
            return False
        height, width = expected.by_place[place].native_size
        if n_bytes <= height * width * _MAX_BYTES_PER_PIXEL + _HEADER_BYTES:
            return True
        text = f"{n_bytes} bytes for {width}x{height} pixels: far too large, it was not read"
        found.append(Finding(place, text, "too large"))
        return False

    if path.is_file():
        max_members = _MAX_MEMBERS_PER_FILE * len(expected.by_place) + _MAX_OTHER_MEMBERS
        max_bytes = _MAX_BYTES_OF_PAIR * expected.n_pixels + _MAX_OTHER_BYTES
        return scan_archive(path, max_members, max_bytes, is_read, found)
    if not path.is_dir():
        raise ZooError(f"no submission at {path}: it does not exist")
    inner = [folder for folder in path.iterdir() if (folder / MAPS).is_dir()]
    if not (path / MAPS).exists() and len(inner) == 1:
        raise ZooError(f"{path} holds no {MAPS}: did you mean {inner[0]}?")
    return scan_folder(path, is_read, found)


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield findings as lines, errors first, a few of each kind and how many more there are."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.severity):
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    for (severity, _), group in groups.items():
        yield from map(str, group[:_SHOWN])
        if len(group) > _SHOWN:
            yield f"{severity}: {len(group) - _SHOWN} more of this kind"


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding is an error."""
    return any(finding.severity == "error" for finding in findings)


def check_names(names: Iterable[str], expected: Expected) -> Iterator[Finding]:
    """Yield how the files that are there differ from those that are expected.

    A folder that is missing or does not belong here is found once, not for each of its files.

    Args:
        names: Paths below the submission's folder, with `/`; folders end with one and count where
            nothing expected lies in them.
        expected: The images that must be there.
    """
    there, wanted = _tree(names), _tree(expected.by_place)
    missing: dict[str, list[str]] = defaultdict(list)
    for name in sorted(expected.by_place):
        if (place := _first_outside(name, there)) is not None:
            folder = place if place != name else name.rpartition("/")[0]
            missing[folder].append(name.rpartition("/")[2])
    for folder, files in missing.items():
        text = f"{len(files)} files are missing: {few(files)}"
        yield Finding(folder, text, "missing")
    places = (_first_outside(name, wanted) for folder in there for name in there[folder])
    for place in sorted({place for place in places if place is not None}):
        near = few(wanted[place.rpartition("/")[0]])
        text = f"does not belong here, where {expected.data_set} has {near}: remove or rename it"
        yield Finding(place, text, "superfluous")


def _tree(names: Iterable[str]) -> dict[str, set[str]]:
    """Return what lies in each folder of some paths: paths themselves, by the folder's path."""
    tree: dict[str, set[str]] = defaultdict(set)
    for name in names:
        parts = name.rstrip("/").split("/")
        for depth in range(len(parts)):
            tree["/".join(parts[:depth])].add("/".join(parts[: depth + 1]))
    return tree


def _first_outside(name: str, tree: dict[str, set[str]]) -> str | None:
    """Return the first part of a path, from the top, that a tree has not; None if it has all."""
    parts = name.split("/")
    for depth in range(len(parts)):
        place = "/".join(parts[: depth + 1])
        if place not in tree["/".join(parts[:depth])]:
            return place
    return None


class _Polarity:
    """Compares pair after pair: scores must be higher inside a mask than outside.

    One pair at odds is a warning: a mask may have been closed or filled. If most pairs of an object
    are, its maps, its masks or their order is wrong.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def compare(self, image: Image, score_map: np.ndarray, mask: np.ndarray) -> Iterator[Finding]:
        """Yield what a map, float16 (H, W), and its mask, bool (H, W), tell together."""
        count = self._counts[image.object_name]
        count["images"] += 1
        if not mask.any():
            return
        count["marked"] += 1
        where = image.place(MASKS)
        if mask.all():
            yield Finding(where, "all of the image is marked", "full mask", "warning")
            return
        count["compared"] += 1
        inside, outside = _median(score_map[mask]), _median(score_map[~mask])
        if inside <= outside:
            count["at odds"] += 1
            text = f"median score {inside:.4g} inside the mask, {outside:.4g} outside"
            yield Finding(where, text, "mask and map at odds", "warning")

    def result(self) -> Iterator[Finding]:
        """Yield what all pairs of an object tell together."""
        for name, count in self._counts.items():
            at_odds, compared = count["at odds"], count["compared"]
            if compared >= _FEW and 2 * at_odds > compared:
                text = (
                    f"{at_odds} of {compared} masks mark the lower scores: larger scores must be "
                    "more anomalous, 255 must mark anomalies, names must agree"
                )
                yield Finding(name, text, "polarity")
            elif not count["marked"]:
                text = f"no pixel is marked in any of {count['images']} images: SegF1 will be 0"
                yield Finding(name, text, "nothing marked", "warning")


def _median(scores: np.ndarray) -> float:
    step = max(1, len(scores) // _MAX_SAMPLES)
    return float(np.median(scores[::step].astype(np.float32)))
