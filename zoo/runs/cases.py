"""A few telling images of a split: the worst and best masks, the loudest good images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.metrics import PixelCounts
from zoo.post.calibration import Calibration
from zoo.post.finish import Finished
from zoo.post.overlay import MASK_COLOUR, TRUTH_COLOUR, overlay

_LONG_SIDE_PX = 400
_LONGEST_NAME = 50  # file systems end at 255 bytes, and a letter may take four


@dataclass(frozen=True)
class Case:
    """One image worth a look; arrays are small copies, so that a split's cases cost little memory.

    Attributes:
        path: The image.
        value: What its kind is ranked by: SegF1 of this image alone, or the flagged share where
            there is no mask to compare; the largest score of a good image without alarm.
        score_map: Raw scores, float32 (h, w) with a long side of at most 400 px.
        mask: bool, same shape.
        truth: bool, same shape, or None.
    """

    path: Path
    value: float
    score_map: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None


class CaseCollector:
    """Keeps the few worst and best defective images and the loudest good ones of a split.

    A good image is a false alarm if a blob was kept; of the others those with the largest scores
    show what the method finds suspicious.

    Args:
        keep: How many of each kind.
    """

    def __init__(self, keep: int = 3) -> None:
        self.keep = keep
        self.worst: list[Case] = []
        self.best: list[Case] = []
        self.false_alarms: list[Case] = []
        self.loudest: list[Case] = []

    def update(
        self, path: Path, finished: Finished, truth: np.ndarray | None, label: int | None = None
    ) -> None:
        """Consider one image; without truth and label there is nothing to rank by."""
        if label is None and truth is not None:
            label = int(truth.any())
        flagged = float(finished.mask.mean())
        if label == 0 and finished.is_anomalous:
            self._offer(self.false_alarms, path, flagged, finished, truth, smallest=False)
        elif label == 0:
            peak = float(finished.score_map.max())
            self._offer(self.loudest, path, peak, finished, truth, smallest=False)
        elif label == 1:
            value = flagged
            if truth is not None:
                counts = PixelCounts()
                counts.update(finished.mask, truth)
                value = counts.segf1
            self._offer(self.worst, path, value, finished, truth, smallest=True)
            self._offer(self.best, path, value, finished, truth, smallest=False)

    def save(self, folder: Path, calibration: Calibration) -> None:
        """Write each case as one picture: image, score map, truth (green) and mask (red)."""
        kinds = {"worst": self.worst, "best": self.best}
        kinds |= {"false_alarm": self.false_alarms, "loudest_good": self.loudest}
        if any(kinds.values()):
            Path(folder).mkdir(parents=True, exist_ok=True)
        for kind, cases in kinds.items():
            for rank, case in enumerate(cases, start=1):
                image = f"{case.path.parent.name}_{case.path.stem}"[-_LONGEST_NAME:]
                name = f"{kind}_{rank}_{image}_{case.value:.3f}.png"
                encoded = cv2.imencode(".png", _picture(case, calibration)[..., ::-1])[1]
                (Path(folder) / name).write_bytes(encoded)  # imwrite fails on some umlauts

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
        size = _shown_size(finished.mask.shape)
        score_map = cv2.resize(finished.score_map, size, interpolation=cv2.INTER_AREA)
        mask, truth = _smaller(finished.mask, size), _smaller(truth, size)
        kept.append(Case(path, value, score_map, mask, truth))
        kept.sort(key=lambda case: case.value, reverse=not smallest)
        del kept[self.keep :]


def _shown_size(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _LONG_SIDE_PX / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _smaller(mask: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    if mask is None:
        return None
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5


def _picture(case: Case, calibration: Calibration) -> np.ndarray:
    """Return image, heat map and outlined image side by side, (h, 3w, 3) uint8 RGB."""
    height, width = case.score_map.shape
    image = cv2.resize(read_image(case.path), (width, height), interpolation=cv2.INTER_AREA)
    heat = calibration.for_display(case.score_map)
    heat = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    outlined = image
    for mask, colour in ((case.truth, TRUTH_COLOUR), (case.mask, MASK_COLOUR)):
        if mask is not None:
            outlined = overlay(outlined, mask, colour=colour)
    return np.ascontiguousarray(np.concatenate([image, heat, outlined], axis=1))
