"""What a rule learns from: score maps of normal images, as they are and under other lights.

Pictures are relit and defects are put into them elsewhere (`zoo.data`); here are only their maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class ScoreMaps(Sized, Protocol):
    """Score maps that can be read again and again, each (H, W) float32 at native size."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map."""


@dataclass(frozen=True)
class Scenes:
    """Score maps of normal images by what was done to the image.

    Attributes:
        clean: The images as they are.
        relit: Some of them under other lights: all lights of the first image, then all of the
            second; empty where nobody relit them.
        defects: Some of them with synthetic defects, image by image as well; empty likewise.
        defect_masks: Where these defects are, bool (H, W), one per map of `defects`.
        changed: Which clean images were relit and painted on, by index; all of them if empty.
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
        """The clean maps of the images that were relit and painted on."""
        if not self.changed:
            return self.clean
        changed = set(self.changed)
        return Subset(self.clean, [index in changed for index in range(len(self.clean))])

    def subset(self, chosen: Sequence[bool]) -> Scenes:
        """Return the scenes of some of the images.

        Args:
            chosen: One yes or no per clean map; at least one of the changed ones should stay.
        """
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
        chosen: One yes or no per image.
    """

    maps: ScoreMaps
    chosen: Sequence[bool]

    def __len__(self) -> int:
        """Return the number of maps."""
        return int(np.sum(self.chosen)) * self._per_image

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield every map that was chosen."""
        return (
            each for index, each in enumerate(self.maps) if self.chosen[index // self._per_image]
        )

    @property
    def _per_image(self) -> int:
        return max(1, len(self.maps) // max(1, len(self.chosen))) if len(self.maps) else 0
