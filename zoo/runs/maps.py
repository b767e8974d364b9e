"""Raw score maps of a run kept on disk: `maps/<split>/`, one file per image and one index."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.postprocess.score_maps import to_native
from zoo.runs.checksums import verify
from zoo.runs.documents import REPAIR, MapEntry, read_maps_index
from zoo.runs.folder import MAPS as FOLDER
from zoo.utils.atomic import atomic_path, write_text
from zoo.utils.errors import ZooError, one_line
from zoo.utils.paths import file_sha256

if TYPE_CHECKING:  # reading maps needs no torch
    from zoo.predict.predictor import Scored

_INDEX = "index.json"


class MapWriter:
    """Writes the score maps of one split at model size; the index comes last.

    Args:
        folder: The run's folder.
        split: Name of the split.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = Path(folder) / FOLDER / split
        self.folder.mkdir(parents=True, exist_ok=True)
        self._entries: list[MapEntry] = []

    def append(self, scored: Scored) -> None:
        """Write one map, (h, w) float32."""
        name = f"{len(self._entries):06d}.npy"
        with atomic_path(self.folder / name) as aside:
            np.save(aside, scored.score_map.astype(np.float32, copy=False))
        self._entries.append(
            {
                "file": name,
                "image": scored.path.name,
                "native_size": scored.native_size,
                "score": scored.score,
                "sha256": file_sha256(self.folder / name),
            }
        )

    def close(self) -> None:
        """Write the index: a split without it is not complete."""
        write_text(self.folder / _INDEX, json.dumps(self._entries))


def kept_maps(folder: Path, split: str) -> bool:
    """Whether a run kept the score maps of a split."""
    return (Path(folder) / FOLDER / split / _INDEX).is_file()


class SavedMaps:
    """The score maps of one split of a run, read as often as wanted.

    Args:
        folder: The run's folder.
        split: Name of the split.

    Raises:
        ZooError: The run kept no maps of that split, or the list of them is damaged.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = Path(folder) / FOLDER / split
        if not kept_maps(folder, split):
            raise ZooError(
                f"run {folder} kept no score maps of '{split}': repeat it with --keep maps"
            )
        self.entries = read_maps_index(self.folder / _INDEX)
        verify(folder, Path(FOLDER, split, _INDEX))

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.entries)

    def read(self, index: int) -> np.ndarray:
        """Return one map at model size, (h, w) float32.

        Raises:
            ZooError: The file is gone or damaged.
        """
        entry = self.entries[index]
        path = self.folder / entry["file"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path} cannot be read ({error.strerror}): {REPAIR}") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise ZooError(f"{path} is damaged, its SHA-256 is another one: {REPAIR}")
        try:
            score_map = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError) as error:
            raise ZooError(
                f"{path} holds no score map ({one_line(error, 80)}): {REPAIR}"
            ) from error
        if score_map.dtype != np.float32 or score_map.ndim != 2:
            raise ZooError(
                f"{path} holds {score_map.dtype} of shape {score_map.shape}, no score map: {REPAIR}"
            )
        return score_map

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map at native size, (H, W) float32."""
        for index, entry in enumerate(self.entries):
            yield to_native(self.read(index), (entry["native_size"][0], entry["native_size"][1]))
