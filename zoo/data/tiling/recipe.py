"""The `tiling` section of a recipe, which makes any method see its images in tiles.

tiling: {window: 1024, overlap: 0.1}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Resize, Transform

from zoo.data.tiling.grid import Layout, Remainder
from zoo.data.tiling.pre_processor import TilingPreProcessor
from zoo.data.tiling.stitch import Seams
from zoo.data.transforms import Scaled, leading_resize, parts_of, pre_processing_of
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class Tiling:
    """Windows of native images that a network sees at its own size.

    Attributes:
        window: Side of a window in pixels of the native image.
        side: Side in pixels that a window has when the network sees it; by default that of the
            square which the method resizes images to, or the window's.
        overlap: Least overlap of neighbours as a share of the window, in [0, 1).
        remainder: spread, shift or pad, see `zoo.data.tiling.grid.Layout`.
        seams: blend, hard or mean, see `zoo.data.tiling.stitch`.
        multiple: Sides of scaled images, and where tiles start, are multiples of this (pixels); by
            default what the method scales to, or 1.
        tiles_per_step: Most tiles that go through the network at once.
    """

    window: int
    side: int | None = None
    overlap: float = 0.1
    remainder: Remainder = "spread"
    seams: Seams = "blend"
    multiple: int | None = None
    tiles_per_step: int = 16

    def pre_processor(self, method: PreProcessor | None) -> TilingPreProcessor:
        """Return the pre-processor that does to tiles what a method's own does to images.

        Raises:
            ZooError: Numbers out of range, or a method that resizes images to no square.
        """
        if self.window < 1 or not 0 <= self.overlap < 1:
            raise ZooError(
                f"tiling: window {self.window}, overlap {self.overlap}: the window must be 1 or "
                "more pixels, the overlap a share of it from 0 to below 1"
            )
        transform = pre_processing_of(method).transform
        resize = leading_resize(transform)
        side = self.side or _own_side(resize) or self.window
        own = resize.multiple if isinstance(resize, Scaled) else 1
        multiple = self.multiple or own
        # As in RoBiS the step is rounded down, here to patches.
        step = max(int(side * (1 - self.overlap)) // multiple, 1) * multiple
        layout = Layout(side, side - step, self.remainder, multiple)
        scaled = Scaled(scale=side / self.window, multiple=multiple)
        rest = parts_of(transform)[resize is not None :]
        then = Compose(rest) if len(rest) > 1 else next(iter(rest), None)
        return TilingPreProcessor(scaled, layout, then, self.seams, self.tiles_per_step)


def tiled(model: AnomalibModule, tiling: Tiling | dict[str, Any] | None) -> AnomalibModule:
    """Let a model see tiles from now on, in training and prediction; None leaves it as it is.

    Args:
        model: Any anomalib module that has not been fitted.
        tiling: The section of a recipe.

    Raises:
        ZooError: The model's pre-processor does not allow it.
    """
    if tiling is not None:
        tiling = tiling if isinstance(tiling, Tiling) else Tiling(**tiling)
        own = model.pre_processor
        assert own is None or isinstance(own, PreProcessor)
        model.pre_processor = tiling.pre_processor(own)
    return model


def _own_side(resize: Transform | None) -> int | None:
    if not isinstance(resize, Resize) or isinstance(resize, Scaled):
        return None
    sides = [resize.size] if isinstance(resize.size, int) else list(resize.size)
    if len(sides) != 2 or sides[0] != sides[1]:
        raise ZooError(
            f"tiling: the method resizes images to {sides}, which is no square: name the side that "
            "a window has when the network sees it (tiling.side)"
        )
    return sides[0]
