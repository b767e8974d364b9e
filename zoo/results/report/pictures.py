"""The cases that a run kept, as small pictures inside the page, with boxes of blobs and misses."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.runs.documents import CASES_LIST, CaseFacts, read_cases
from zoo.runs.folder import CASES
from zoo.utils.errors import ZooError

KINDS = {
    "worst": "worst",
    "best": "best",
    "false_alarm": "false alarm",
    "loudest_good": "loudest good image",
}
_SPLITS = ("test_private", "test_private_mixed", "test_public", "test", "validation")
_QUALITY = 80
_MOST_PX = 400
_ROOM = 0.012  # of the long side, between a region and its box


@dataclass(frozen=True)
class Case:
    """One kept case, before its picture is read.

    Attributes:
        split: Where the image is from.
        picture: The file with image, score map and mask side by side.
        facts: Its entry in `cases.json`.
    """

    split: str
    picture: Path
    facts: CaseFacts

    @property
    def kind(self) -> str:
        """A key of `KINDS`."""
        return self.facts["kind"]

    @property
    def rank(self) -> int:
        """1 is the most telling of its kind."""
        return self.facts["rank"]

    def frame(self, box: Sequence[int]) -> tuple[float, float, float, float]:
        """Return a box x, y, width, height with some room, so that it shows and hides nothing."""
        room = _ROOM * max(self.facts["width"], self.facts["height"])
        x, y, width, height = box
        return x - room, y - room, width + 2 * room, height + 2 * room

    @property
    def title(self) -> str:
        """What it is and how it was ranked."""
        value = self.facts["value"]
        if self.kind == "loudest_good":
            said = f"largest score {value:.4g}"
        elif self.kind == "false_alarm" or not self.facts["has_truth"]:
            said = f"{100 * value:.1f} % marked"
        else:
            said = f"SegF1 {100 * value:.1f} %"
        return f"{KINDS[self.kind]} {self.rank}: {said}"

    @property
    def found(self) -> str:
        """What the mask holds, in words."""
        count, missed = self.facts["n_blobs"], len(self.facts["missed"])
        said = "nothing marked" if not count else f"{count} blob{'s' * (count > 1)}"
        if not self.facts["has_truth"]:
            return f"{said}; the ground truth is not known here"
        return f"{said}, {missed} defect{'s' * (missed > 1)} not touched" if missed else said


def kept_cases(folder: Path, missing: list[str]) -> list[Case]:
    """Return all cases of a run whose pictures are there, split by split.

    Args:
        folder: The run.
        missing: Receives what cannot be read, and why.
    """
    found = []
    for place in sorted(path for path in (Path(folder) / CASES).glob("*") if path.is_dir()):
        try:
            listed = read_cases(place / CASES_LIST)
        except ZooError as error:
            missing.append(f"cases of {place.name}: {error}")
            continue
        found += [Case(place.name, place / facts["picture"], facts) for facts in listed]
    found = [case for case in found if case.picture.is_file()]
    return sorted(found, key=lambda case: _order(case.split))


def chosen(cases: Sequence[Case], most: int) -> list[Case]:
    """Return at most so many cases: the first of every kind and split, then the second, and so on.

    They stay in the order in which they were given.
    """
    kinds = list(KINDS)
    by_worth = sorted(
        range(len(cases)),
        key=lambda each: (cases[each].rank, kinds.index(cases[each].kind), each),
    )
    return [cases[each] for each in sorted(by_worth[:most])]


def panels(case: Case) -> tuple[str, ...]:
    """Return image, score map and mask as data URIs, none if the picture cannot be read."""
    try:
        picture = read_image(case.picture)[..., ::-1]
    except ZooError:
        return ()
    width = picture.shape[1] // 3
    if not width:
        return ()
    return tuple(_data_uri(picture[:, n * width : (n + 1) * width]) for n in range(3))


def _order(split: str) -> tuple[int, str]:
    return (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS) - 1, split)


def _data_uri(panel: np.ndarray) -> str:
    """Return a panel, (H, W, 3) uint8 BGR, as WebP in text."""
    scale = min(1.0, _MOST_PX / max(panel.shape[:2]))
    if scale < 1:
        size = (max(1, round(panel.shape[1] * scale)), max(1, round(panel.shape[0] * scale)))
        panel = cv2.resize(panel, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".webp", panel, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    return f"data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode()}"
