"""The score histograms of a run's splits in one npz file, to compute any metric from later.

`splits` lists them. Of every split there are `<split>/n_regions` and, for each of normal, defect
and region of `PixelScores`, the arrays of `ScoreHistogram.to_arrays`: `<split>/<part>/bins`, ...
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from zoo.metrics.curves import PixelScores
from zoo.metrics.histogram import ScoreHistogram
from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError

_PARTS = ("normal", "defect", "region")
_ARRAYS = ("mantissa_bits", "bins", "counts")
# What numpy raises for a missing, foreign or damaged file.
_UNREADABLE = (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


def save_splits(path: str | Path, splits: dict[str, PixelScores]) -> None:
    """Write the histograms of several splits to one npz file, whole or not at all."""
    arrays = {"splits": np.array(list(splits), dtype=str)}
    for split, scores in splits.items():
        arrays[f"{split}/n_regions"] = np.array(scores.n_regions)
        for part in _PARTS:
            for key, values in getattr(scores, part).to_arrays().items():
                arrays[f"{split}/{part}/{key}"] = values
    with atomic_path(path) as aside, aside.open("wb") as file:
        # The stubs take the arrays for `allow_pickle`, which numpy 1.26 has not.
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def add_splits(path: str | Path, splits: dict[str, PixelScores]) -> None:
    """Write the histograms of some splits beside those that are in the file, if there is one.

    Raises:
        ZooError: The file is damaged.
    """
    known = load_splits(path) if Path(path).is_file() else {}
    save_splits(path, {**known, **splits})


def load_splits(path: str | Path) -> dict[str, PixelScores]:
    """Read the histograms of `save_splits`.

    Raises:
        ZooError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {str(split): _scores(arrays, str(split)) for split in arrays["splits"]}
    except _UNREADABLE as error:
        raise ZooError(f"{path}: no readable score histograms ({error})") from error


def _scores(arrays: np.lib.npyio.NpzFile, split: str) -> PixelScores:
    normal, defect, region = (
        ScoreHistogram.from_arrays({key: arrays[f"{split}/{part}/{key}"] for key in _ARRAYS})
        for part in _PARTS
    )
    return PixelScores(normal, defect, region, int(arrays[f"{split}/n_regions"]))
