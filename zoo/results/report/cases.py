"""The cases that a run kept, as small images inside the page, with boxes of blobs and misses."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.results.aggregate import split_order
from zoo.runs.documents import CASES_LIST, CaseFacts, read_cases
from zoo.runs.folder import CASES
from zoo.utils.errors import ZooError

KINDS = {
    "worst": "worst",
    "best": "best",
    "false_alarm": "false alarm",
    "highest_normal_score": "highest-scoring normal image",
}
_WEBP_QUALITY = 80
_MAX_PX = 400
_ROOM = 0.012  # of the long side, between a region and its box


@dataclass(frozen=True)
class Case:
    """One kept case, before its image is read.

    Attributes:
        split: The split of the image.
        path: The file with image, score map and mask side by side.
        facts: Its entry in `cases.json`.
    """

    split: str
    path: Path
    facts: CaseFacts

    def frame(self, box: Sequence[int]) -> tuple[float, float, float, float]:
        """Return a box x, y, width, height with some room, so that it hides nothing."""
        room = _ROOM * max(self.facts["width"], self.facts["height"])
        x, y, width, height = box
        return x - room, y - room, width + 2 * room, height + 2 * room

    @property
    def title(self) -> str:
        """What it is and how it was ranked."""
        kind, value = self.facts["kind"], self.facts["value"]
        if kind == "highest_normal_score":
            text = f"largest score {value:.4g}"
        elif kind == "false_alarm" or not self.facts["has_truth"]:
            text = f"{100 * value:.1f} % marked"
        else:
            text = f"SegF1 {100 * value:.1f} %"
        return f"{KINDS[kind]} {self.facts['rank']}: {text}"

    @property
    def mask_text(self) -> str:
        """What the mask holds, in words."""
        count, missed = self.facts["n_blobs"], len(self.facts["missed"])
        text = f"{count} blob{'s' * (count > 1)}" if count else "nothing marked"
        if not self.facts["has_truth"]:
            return f"{text}; the ground truth is not known here"
        return f"{text}, {missed} defect{'s' * (missed > 1)} not touched" if missed else text

    def panels(self) -> tuple[str, ...]:
        """Return image, score map and mask as data URIs, none if the file cannot be read."""
        try:
            panels = read_image(self.path)[..., ::-1]
        except ZooError:
            return ()
        width = panels.shape[1] // 3
        return tuple(_data_uri(panels[:, n * width : (n + 1) * width]) for n in range(3))


def kept_cases(folder: Path, missing: list[str]) -> list[Case]:
    """Return all cases of a run whose images are there, split by split.

    Args:
        folder: The run.
        missing: Receives what cannot be read, and why.
    """
    cases = []
    for place in (path for path in (folder / CASES).glob("*") if path.is_dir()):
        try:
            listed = read_cases(place / CASES_LIST)
        except ZooError as error:
            missing.append(f"cases of {place.name}: {error}")
            continue
        cases += [Case(place.name, place / facts["file"], facts) for facts in listed]
    cases = [case for case in cases if case.path.is_file()]
    return sorted(cases, key=lambda case: (case.split == "test_public", split_order(case.split)))


def chosen(cases: Sequence[Case], most: int) -> list[Case]:
    """Return at most so many cases: the first of every kind and split, then the second, and so on.

    They stay in the order in which they were given.
    """
    kinds = list(KINDS)

    def worth(index: int) -> tuple[int, int, int]:
        facts = cases[index].facts
        return facts["rank"], kinds.index(facts["kind"]), index

    return [cases[index] for index in sorted(sorted(range(len(cases)), key=worth)[:most])]


def _data_uri(panel: np.ndarray) -> str:
    """Return a panel, (H, W, 3) uint8 BGR, as WebP in text."""
    scale = min(1.0, _MAX_PX / max(panel.shape[:2]))
    if scale < 1:
        size = (max(1, round(panel.shape[1] * scale)), max(1, round(panel.shape[0] * scale)))
        panel = cv2.resize(panel, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".webp", panel, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])[1]
    return f"data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode()}"
