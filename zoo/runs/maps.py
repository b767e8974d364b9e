"""Raw score maps of a run kept on disk: `maps/<split>/`, one file per image and one index.

They make thresholds cheap to try: another rule needs no model and no images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import ZooError
from zoo.post.resize import to_native
from zoo.runs.folder import MAPS as FOLDER

if TYPE_CHECKING:  # reading maps needs no torch
    from zoo.scoring import Scored

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
        self._entries: list[dict] = []

    def append(self, scored: Scored) -> None:
        """Write one map, (h, w) float32."""
        name = f"{len(self._entries):06d}.npy"
        np.save(self.folder / name, scored.score_map.astype(np.float32, copy=False))
        self._entries.append(
            {
                "file": name,
                "image": scored.path.name,
                "native_size": list(scored.native_size),
                "score": scored.score,
            }
        )

    def close(self) -> None:
        """Write the index: a split without it is not complete."""
        (self.folder / _INDEX).write_text(json.dumps(self._entries), encoding="utf-8")


class SavedMaps:
    """The score maps of one split of a run, read as often as wanted.

    Args:
        folder: The run's folder.
        split: Name of the split.

    Raises:
        ZooError: The run kept no maps of that split.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = Path(folder) / FOLDER / split
        try:
            self.entries = json.loads((self.folder / _INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ZooError(
                f"run {folder} kept no score maps of '{split}': repeat it with --keep maps"
            ) from None

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.entries)

    @property
    def scores(self) -> list[float]:
        """The method's own image scores."""
        return [entry["score"] for entry in self.entries]

    def read(self, index: int) -> np.ndarray:
        """Return one map at model size, (h, w) float32."""
        return np.load(self.folder / self.entries[index]["file"], allow_pickle=False)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map at native size, (H, W) float32."""
        for index, entry in enumerate(self.entries):
            yield to_native(self.read(index), tuple(entry["native_size"]))
