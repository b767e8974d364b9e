"""The small data set of the contract: textures, of which some have a bright chequered square.

It has the layout of MVTec AD 2, and anomalib's `Folder` can read it. The defect is nobody's mirror
image, so that a map that is turned, flipped or shifted misses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

OBJECT = "part"
SIZE = (64, 96)  # (H, W) in pixels
N_TRAIN, N_VALIDATION, N_TEST = 8, 3, 3
_DEFECT = (slice(6, 30), slice(56, 84))
_CELL_PX = 4


def write_part(root: Path, n_train: int = N_TRAIN) -> Path:
    """Write the data set, equal in every call.

    Args:
        root: Where the folder of the object is made.
        n_train: Number of normal images to learn from.

    Returns:
        The folder of the object.
    """
    folder = Path(root) / OBJECT
    for index in range(n_train):
        _write(folder / f"train/good/{index:03d}.png", texture(index))
    for index in range(N_VALIDATION):
        _write(folder / f"validation/good/{index:03d}.png", texture(1000 + index))
    for index in range(N_TEST):
        _write(folder / f"test_public/good/{index:03d}.png", texture(2000 + index))
        _write(folder / f"test_public/bad/{index:03d}.png", with_defect(texture(3000 + index)))
        mask = folder / f"test_public/ground_truth/bad/{index:03d}_mask.png"
        _write(mask, np.uint8(255) * truth())
    return folder


def texture(seed: int) -> np.ndarray:
    """Return a smooth grey-green noise, (64, 96, 3) uint8."""
    noise = np.random.default_rng(seed).random((*SIZE, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2) - 0.5
    return np.uint8(np.clip(np.array([90, 110, 100]) + 400 * smooth, 0, 180))


def truth() -> np.ndarray:
    """Return where the defect is, bool (64, 96)."""
    mask = np.zeros(SIZE, bool)
    mask[_DEFECT] = True
    return mask


def with_defect(pixels: np.ndarray) -> np.ndarray:
    """Return a copy with the chequered square, through which the texture shows, as uint8."""
    rows, columns = np.indices(SIZE) // _CELL_PX
    bright = np.where((rows + columns) % 2, 180, 80)[..., None]
    return np.where(truth()[..., None], np.uint8(bright + 0.4 * pixels), pixels)


def layout_settings(root: Path) -> dict[str, Any]:
    """Return arguments of `MVTecAD2Layout` for the data set."""
    return {"root": str(root), "category": OBJECT, "cache_mb": 0}


def folder_settings(root: Path) -> dict[str, Any]:
    """Return arguments of anomalib's `Folder` for the same images."""
    return {
        "name": OBJECT,
        "root": str(Path(root) / OBJECT),
        "normal_dir": "train/good",
        "abnormal_dir": "test_public/bad",
        "normal_test_dir": "test_public/good",
        "mask_dir": "test_public/ground_truth/bad",
        "val_split_mode": "same_as_test",
        "num_workers": 0,
    }


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)
