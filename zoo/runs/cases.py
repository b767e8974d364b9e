"""A few telling images of a split: the worst and best masks, the highest-scoring normal images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.metrics import PixelCounts
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.drawing import case_image
from zoo.postprocess.finish import Blob, Finished
from zoo.runs.documents import CASES_LIST
from zoo.runs.folder import write_json
from zoo.utils.atomic import write_bytes

_LONG_SIDE_PX = 400
_LONGEST_NAME = 50  # file systems end at 255 bytes, and a letter may take four
_MOST_BOXES = 50


@dataclass(frozen=True)
class Case:
    """One image worth a look; arrays are small copies, so that a split's cases cost little memory.

    Attributes:
        path: The image.
        value: What its kind is ranked by: SegF1 of this image alone, or the flagged share where
            there is no mask to compare; the largest score of a normal image without alarm.
        score_map: Raw scores, float32 (h, w) with a long side of at most 400 px.
        mask: bool, same shape; a speck of the mask is never shrunk away.
        truth: bool, same shape, all False for a normal image; None where it is not known.
        native_size: (H, W) of the image.
        blobs: The first of the mask's blobs, in native pixels.
        n_blobs: How many the mask has.
        missed: Boxes x, y, width, height of defects that the mask does not touch.
    """

    path: Path
    value: float
    score_map: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None
    native_size: tuple[int, int]
    blobs: list[Blob]
    n_blobs: int
    missed: list[tuple[int, int, int, int]]

    def facts(self) -> dict[str, Any]:
        """Return what stands of the case in `cases.json`."""
        height, width = self.native_size
        return {
            "image": f"{self.path.parent.name}/{self.path.name}",
            "value": self.value,
            "width": width,
            "height": height,
            "has_truth": self.truth is not None,
            "n_blobs": self.n_blobs,
            "blobs": [
                {"id": blob.id, "box": blob.box, "area_px": blob.area_px, "peak": blob.peak}
                for blob in self.blobs
            ],
            "missed": self.missed,
        }


class CaseCollector:
    """Keeps the few worst and best anomalous images and the highest-scoring normal ones of a split.

    A normal image is a false alarm if a blob was kept; of the others those with the largest scores
    show what the method finds suspicious.

    Args:
        keep: How many of each kind.
    """

    def __init__(self, keep: int = 3) -> None:
        self.keep = keep
        self.worst: list[Case] = []
        self.best: list[Case] = []
        self.false_alarms: list[Case] = []
        self.highest_normal: list[Case] = []

    def update(
        self, path: Path, finished: Finished, truth: np.ndarray | None, label: int | None = None
    ) -> None:
        """Consider one image; without truth and label there is nothing to rank by."""
        if label is None and truth is not None:
            label = int(truth.any())
        flagged = float(finished.mask.mean())
        if label == 0 and truth is None:
            truth = np.zeros_like(finished.mask)
        if label == 0 and finished.is_anomalous:
            self._offer(self.false_alarms, path, flagged, finished, truth, smallest=False)
        elif label == 0:
            peak = float(finished.score_map.max())
            self._offer(self.highest_normal, path, peak, finished, truth, smallest=False)
        elif label == 1:
            value = flagged
            if truth is not None:
                counts = PixelCounts()
                counts.update(finished.mask, truth)
                value = counts.segf1 or 0.0
            self._offer(self.worst, path, value, finished, truth, smallest=True)
            self._offer(self.best, path, value, finished, truth, smallest=False)

    def save(self, folder: Path, calibration: Calibration) -> None:
        """Write each case as one image, and `cases.json` with boxes, which lists them."""
        folder = Path(folder)
        listed = []
        for kind, rank, case in self._all():
            folder.mkdir(parents=True, exist_ok=True)
            image = f"{case.path.parent.name}_{case.path.stem}"[-_LONGEST_NAME:]
            image = "".join(letter if letter.isprintable() else "_" for letter in image)
            name = f"{kind}_{rank}_{image}_{case.value:.3f}.png"
            encoded = cv2.imencode(".png", _drawn(case, calibration)[..., ::-1])[1]
            write_bytes(folder / name, encoded.tobytes())  # imwrite fails on some umlauts
            listed.append({"kind": kind, "rank": rank, "file": name, **case.facts()})
        if listed:
            write_json(folder / CASES_LIST, listed)

    def _all(self) -> Iterator[tuple[str, int, Case]]:
        """Yield kind, rank from 1, and case."""
        kinds = {"worst": self.worst, "best": self.best}
        kinds |= {"false_alarm": self.false_alarms, "highest_normal_score": self.highest_normal}
        for kind, cases in kinds.items():
            for rank, case in enumerate(cases, start=1):
                yield kind, rank, case

    def _offer(
        self,
        kept: list[Case],
        path: Path,
        value: float,
        finished: Finished,
        truth: np.ndarray | None,
        smallest: bool,
    ) -> None:
        worst_kept = kept[-1].value if len(kept) == self.keep else None
        if worst_kept is not None and (value >= worst_kept if smallest else value <= worst_kept):
            return
        mask, blobs = finished.mask, finished.blobs
        size = _shown_size(mask.shape)
        case = Case(
            path,
            value,
            cv2.resize(finished.score_map, size, interpolation=cv2.INTER_AREA),
            _smaller(mask, size),
            None if truth is None else _smaller(truth, size),
            mask.shape,
            blobs[:_MOST_BOXES],
            len(blobs),
            [] if truth is None else _missed(mask, truth)[:_MOST_BOXES],
        )
        kept.append(case)
        kept.sort(key=lambda case: case.value, reverse=not smallest)
        del kept[self.keep :]


def _shown_size(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _LONG_SIDE_PX / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _smaller(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask (H, W) at a size (w, h), True wherever any pixel below was."""
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0


def _missed(mask: np.ndarray, truth: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the 8-connected regions of the truth that the mask does not touch."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(truth, np.uint8), connectivity=8
    )
    touched = set(np.unique(labels[mask]).tolist())
    return [
        tuple(statistics[label, : cv2.CC_STAT_AREA].tolist())
        for label in range(1, count)
        if label not in touched
    ]


def _drawn(case: Case, calibration: Calibration) -> np.ndarray:
    """Return image, heat map and mask against truth side by side, uint8 (h, 3w, 3) RGB."""
    height, width = case.score_map.shape
    pixels = read_image(case.path, calibration.bit_depth)
    image = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return case_image(image, case.score_map, case.mask, case.truth, calibration)
