"""A resize that keeps the aspect ratio: by a factor, or to a shorter side."""

from __future__ import annotations

from typing import Any

import torch
from torchvision.transforms.v2 import Resize
from torchvision.transforms.v2.functional import resize

from zoo.data.tiling.grid import MAX_WHOLE_PIXELS, scaled_size
from zoo.utils.errors import ZooError


class Scaled(Resize):
    """Resize images with antialiasing and keep their aspect ratio.

    Sides are rounded to `multiple`, so that no patch of a network is left over: the ratio changes
    by less than half a patch in a side, and no pixel stays unjudged.

    Args:
        scale: Factor of both sides.
        shorter_side: Pixels of the shorter side; instead of `scale`.
        multiple: Both sides become multiples of this.
        bicubic: Bicubic instead of bilinear interpolation.

    Attributes:
        max_pixels: How many an image may have after it.

    Raises:
        ZooError: Not exactly one of scale and shorter_side, or a number out of range.
    """

    def __init__(
        self,
        scale: float | None = None,
        shorter_side: int | None = None,
        multiple: int = 1,
        bicubic: bool = False,
    ) -> None:
        if (scale is None) == (shorter_side is None):
            raise ZooError("images are scaled by `scale` or to a `shorter_side`: give one of them")
        if (scale or shorter_side) <= 0 or multiple < 1:
            raise ZooError(
                f"scale {scale}, shorter side {shorter_side} and multiple {multiple} must be "
                "greater than 0"
            )
        super().__init__(size=[1, 1], interpolation=3 if bicubic else 2, antialias=True)
        # Its text stands for the size wherever sizes are compared or written down.
        self.size = f"scale={scale}, shorter_side={shorter_side}, multiple={multiple}"
        self.scale = scale
        self.shorter_side = shorter_side
        self.multiple = multiple
        self.bicubic = bicubic
        self.max_pixels = MAX_WHOLE_PIXELS

    def size_of(self, native_size: tuple[int, int]) -> tuple[int, int]:
        """Return (h, w) of an image whose native size is (H, W), all in pixels.

        Raises:
            ZooError: They are more than `max_pixels`.
        """
        rule = self.scale, self.shorter_side, self.multiple
        return scaled_size(native_size, *rule, self.max_pixels)

    def transform(self, inpt: Any, params: dict[str, Any]) -> torch.Tensor:
        """Resize an image or a mask of native size."""
        size = list(self.size_of(tuple(inpt.shape[-2:])))
        if list(inpt.shape[-2:]) == size:
            return inpt
        return resize(inpt, size, self.interpolation, antialias=self.antialias)

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {
            "scale": self.scale,
            "shorter_side": self.shorter_side,
            "multiple": self.multiple,
            "bicubic": self.bicubic,
        }
