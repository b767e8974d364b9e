"""Estimating accuracy without a single real defect: painted defects, and good pictures relit.

The pictures are written down, so that a person can judge what the estimate rests on. They are made
of good pictures that no candidate has learned from or was calibrated on. Still, real defects look
otherwise, and rules of calibration know these lights: the estimate ranks candidates, it promises
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.data.images import read_image
from zoo.data.masks import read_mask
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.synthetic import KINDS, defects, put_defect
from zoo.metrics import PixelCounts
from zoo.predict.predictor import Predictor
from zoo.utils.atomic import write_bytes
from zoo.utils.progress import counted

DEFECTS, LIGHTS = 3, 2  # of each good picture
_SEVERITIES = (2, 4)
_SEED = 77_001  # any; not that of a calibration


@dataclass(frozen=True)
class EstimatePicture:
    """One picture and where its defect is; `mask` is None for one without."""

    path: Path
    mask: Path | None


def write_pictures(
    good: Sequence[Path], folder: Path, seed: int, bit_depth: int | None = None
) -> list[EstimatePicture]:
    """Write each good picture as it is, relit, and with defects; what is there stays.

    Args:
        good: Good pictures.
        folder: Where to write.
        seed: Draws lights and defects.
        bit_depth: Of 16-bit pictures.
    """
    written = []
    for index, path in enumerate(good):
        pixels, key = read_image(path, bit_depth), f"{index:03d}"
        written.append(_write(folder / "good" / f"{key}.png", pixels))
        own = _SEED + 1000 * seed + index
        random = np.random.default_rng(own)
        for number, family in enumerate(random.choice(FAMILIES, LIGHTS, replace=False)):
            light = Light(str(family), _SEVERITIES[number % len(_SEVERITIES)], own)
            relit = relight_image(pixels, light)
            written.append(_write(folder / "relit" / f"{key}_{family}.png", relit))
        for number, each in enumerate(defects(own, DEFECTS, KINDS)):
            painted, mask = put_defect(pixels, each)
            name = f"{key}_{number}.png"
            written.append(_write(folder / "defect" / name, painted, folder / "mask" / name, mask))
    return written


def estimate(judge: Predictor, pictures: Sequence[EstimatePicture]) -> float | None:
    """Return the estimated SegF1: pooled over all pixels of all pictures, at native size.

    Args:
        judge: What is estimated, with its own calibration.
        pictures: See `write_pictures`.
    """
    counts = PixelCounts()
    for each in counted(pictures, len(pictures), "pictures of the estimate"):
        mask = judge.predict(each.path).mask
        truth = (
            np.zeros(mask.shape, bool) if each.mask is None else read_mask(each.mask, mask.shape)
        )
        counts.update(mask, truth)
    return counts.segf1


def _write(
    path: Path, pixels: np.ndarray, mask_path: Path | None = None, mask: np.ndarray | None = None
) -> EstimatePicture:
    if mask_path is not None and mask is not None:
        _save(mask_path, mask.astype(np.uint8) * 255)
    _save(path, np.ascontiguousarray(pixels[..., ::-1]))
    return EstimatePicture(path, mask_path)


def _save(path: Path, pixels: np.ndarray) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, cv2.imencode(".png", pixels)[1].tobytes())
