"""Score maps of a split kept on disk, so that a rule can read them as often as it likes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

from zoo.postprocess.resize import to_native


class ScoreMapSpool:
    """A re-iterable store of score maps: written at model size, read back at native size.

    Memory stays constant whatever the number of images. Use it as a context manager, or `close` it.

    Attributes:
        scores: The method's own image scores, of those maps that were given one.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="anomalib-zoo-")  # noqa: SIM115 - `close` does
        self.scores: list[float] = []
        self._entries: list[tuple[int, tuple[int, int], tuple[int, int]]] = []

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._entries)

    def append(
        self, score_map: np.ndarray, native_size: tuple[int, int], score: float | None = None
    ) -> None:
        """Add a map of shape (h, w), and the score, of an image of native size (H, W)."""
        if score is not None:
            self.scores.append(score)
        self._file.seek(0, 2)
        self._entries.append((self._file.tell(), score_map.shape, native_size))
        self._file.write(np.ascontiguousarray(score_map, dtype=np.float32).tobytes())

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map at native size, (H, W) float32."""
        for offset, (height, width), native_size in self._entries:
            self._file.seek(offset)
            raw = bytearray(self._file.read(4 * height * width))  # so that the array is writable
            yield to_native(np.frombuffer(raw, np.float32).reshape(height, width), native_size)

    def close(self) -> None:
        """Remove the maps."""
        self._file.close()

    def __enter__(self) -> ScoreMapSpool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
