"""A few telling images of a split: the worst and best masks, and the loudest false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.metrics import PixelCounts
from zoo.post.calibration import Calibration
from zoo.post.finish import Finished

_LONG_SIDE_PX = 400
_TRUTH_COLOUR = (60, 220, 60)  # RGB
_MASK_COLOUR = (255, 40, 40)


@dataclass(frozen=True)
class Case:
    """One image worth a look; arrays are small copies, so that a split's cases cost little memory.

    Attributes:
        path: The image.
        value: SegF1 of this image alone, or the flagged share of a good image.
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
    """Keeps the few worst and best defective images and the worst good ones of a split.

    Args:
        keep: How many of each kind.
    """

    def __init__(self, keep: int = 3) -> None:
        self.keep = keep
        self.worst: list[Case] = []
        self.best: list[Case] = []
        self.false_alarms: list[Case] = []

    def update(self, path: Path, finished: Finished, truth: np.ndarray | None) -> None:
        """Consider one image; without truth there is nothing to rank by."""
        if truth is None:
            return
        if truth.any():
            counts = PixelCounts()
            counts.update(finished.mask, truth)
            self._offer(self.worst, path, counts.segf1, finished, truth, smallest=True)
            self._offer(self.best, path, counts.segf1, finished, truth, smallest=False)
        elif finished.blobs:
            flagged = float(finished.mask.mean())
            self._offer(self.false_alarms, path, flagged, finished, truth, smallest=False)

    def save(self, folder: Path, calibration: Calibration) -> None:
        """Write each case as one picture: image, score map, truth (green) and mask (red)."""
        kinds = {"worst": self.worst, "best": self.best, "false_alarm": self.false_alarms}
        if any(kinds.values()):
            Path(folder).mkdir(parents=True, exist_ok=True)
        for kind, cases in kinds.items():
            for rank, case in enumerate(cases, start=1):
                name = (
                    f"{kind}_{rank}_{case.path.parent.name}_{case.path.stem}_{case.value:.3f}.png"
                )
                cv2.imwrite(str(Path(folder) / name), _picture(case, calibration)[..., ::-1])

    def _offer(
        self,
        kept: list[Case],
        path: Path,
        value: float,
        finished: Finished,
        truth: np.ndarray,
        smallest: bool,
    ) -> None:
        worst_kept = kept[-1].value if len(kept) == self.keep else None
        if worst_kept is not None and (value >= worst_kept if smallest else value <= worst_kept):
            return
        size = _shown_size(truth.shape)
        small = [
            cv2.resize(array.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for array in (finished.score_map, finished.mask, truth)
        ]
        kept.append(Case(path, value, small[0], small[1] > 0.5, small[2] > 0.5))
        kept.sort(key=lambda case: case.value, reverse=not smallest)
        del kept[self.keep :]


def _shown_size(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _LONG_SIDE_PX / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _picture(case: Case, calibration: Calibration) -> np.ndarray:
    """Return image, heat map and outlined image side by side, (h, 3w, 3) uint8 RGB."""
    height, width = case.score_map.shape
    image = cv2.resize(read_image(case.path), (width, height), interpolation=cv2.INTER_AREA)
    heat = calibration.for_display(case.score_map)
    heat = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    outlined = image.copy()
    for mask, colour in ((case.truth, _TRUTH_COLOUR), (case.mask, _MASK_COLOUR)):
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(outlined, outlines, -1, colour, 1)
    return np.ascontiguousarray(np.concatenate([image, heat, outlined], axis=1))
