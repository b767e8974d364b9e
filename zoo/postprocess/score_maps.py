"""Score maps of normal images: to native size, kept on disk, and grouped for calibration rules."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from zoo.utils.errors import ZooError


def to_native(score_map: np.ndarray, native_size: tuple[int, int]) -> np.ndarray:
    """Resize a score map (h, w) bilinearly to the native size (H, W) of its image.

    Returns:
        float32 (H, W). Pixel centres are aligned as in torch's bilinear interpolation with
        align_corners=False.

    Raises:
        ZooError: Not a two-dimensional map, an empty one, scores that are not finite, or a size
            without pixels.
    """
    score_map = np.asarray(score_map)
    if score_map.ndim != 2:
        raise ZooError(f"a score map has the shape (h, w), this one has {score_map.shape}")
    height, width = native_size
    if not score_map.size or height < 1 or width < 1:
        raise ZooError(
            f"a score map of shape {score_map.shape} for an image of {width}x{height} pixels: "
            "both need one pixel at least"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        score_map = np.ascontiguousarray(score_map, dtype=np.float32)
    if not np.isfinite(score_map).all():
        wrong = int((~np.isfinite(score_map)).sum())
        raise ZooError(
            f"{wrong} of {score_map.size} scores of the map are NaN or infinite: "
            "the method diverged; its maps cannot be used"
        )
    if score_map.shape == (height, width):
        return score_map
    return cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)


class ScoreMaps(Sized, Protocol):
    """Score maps that can be read again and again, each (H, W) float32 at native size."""

    def __iter__(self) -> Iterator[np.ndarray]: ...


class ScoreMapSpool:
    """Score maps of a split on disk: written at model size, read back at native size.

    Memory stays constant whatever the number of images. Use it as a context manager, or `close` it.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="anomalib-zoo-")  # noqa: SIM115 - `close` does
        self._entries: list[tuple[int, tuple[int, ...], tuple[int, int]]] = []

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._entries)

    def append(self, score_map: np.ndarray, native_size: tuple[int, int]) -> None:
        """Add the map (h, w) of an image of native size (H, W)."""
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


@dataclass(frozen=True)
class Scenes:
    """Score maps of normal images by what was done to the image (`zoo.data` makes the images).

    Attributes:
        clean: The images as they are.
        relit: Some of them under other lights: all lights of the first image, then all of the
            second; empty if none was relit.
        defects: Some of them with synthetic defects, image by image as well; empty likewise.
        defect_masks: Where these defects are, bool (H, W), one per map of `defects`.
        changed: Which clean images were relit and given defects, by index; all of them if empty.
    """

    clean: ScoreMaps
    relit: ScoreMaps = ()
    defects: ScoreMaps = ()
    defect_masks: Sequence[np.ndarray] = ()
    changed: tuple[int, ...] = ()

    @classmethod
    def of(cls, maps: Scenes | Iterable[np.ndarray]) -> Scenes:
        """Return scenes as they are, and mere maps as clean ones."""
        if isinstance(maps, Scenes):
            return maps
        return cls(maps if isinstance(maps, Sized) else list(maps))

    @property
    def clean_of_changed(self) -> ScoreMaps:
        """The clean maps of the images that were relit and given defects."""
        if not self.changed:
            return self.clean
        changed = set(self.changed)
        return Subset(self.clean, [index in changed for index in range(len(self.clean))])

    def subset(self, chosen: Sequence[bool] | np.ndarray) -> Scenes:
        """Return the scenes of the images that are chosen, by one bool per clean map."""
        changed = self.changed or tuple(range(len(self.clean)))
        stays = [bool(chosen[index]) for index in changed]
        place = np.cumsum(chosen) - 1  # where an image stands among those that stay
        per_image = len(self.defect_masks) // len(stays) if stays else 0
        return Scenes(
            Subset(self.clean, chosen),
            Subset(self.relit, stays),
            Subset(self.defects, stays),
            [m for i, m in enumerate(self.defect_masks) if stays[i // per_image]],
            tuple(int(place[i]) for i, stay in zip(changed, stays, strict=True) if stay),
        )


@dataclass(frozen=True)
class Subset:
    """The maps of some images, read anew at every pass.

    Attributes:
        maps: Maps of n images, the same number of each, image by image.
        chosen: One bool per image.
    """

    maps: ScoreMaps
    chosen: Sequence[bool] | np.ndarray

    def __len__(self) -> int:
        """Return the number of maps."""
        return int(np.sum(self.chosen)) * self._per_image

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map of the chosen images."""
        per_image = self._per_image
        return (m for index, m in enumerate(self.maps) if self.chosen[index // per_image])

    @property
    def _per_image(self) -> int:
        return max(1, len(self.maps) // max(1, len(self.chosen))) if len(self.maps) else 0
