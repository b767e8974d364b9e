"""What pre-processors do to an image: their contract, resizes to a model's size, one contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from anomalib.pre_processing import PreProcessor
from torch import Tensor, nn
from torchvision.transforms.v2 import CenterCrop, Compose, Resize, Transform
from torchvision.transforms.v2.functional import resize as resize_tensor
from torchvision.tv_tensors import Image, Mask

from zoo.data.tiling.grid import MAX_WHOLE_PIXELS, Layout, check_pixels, scaled_size
from zoo.utils.errors import ZooError

_MEAN, _DEVIATION = 0.45, 0.15  # of most photographs, in [0, 1]
_LEAST_DEVIATION = 0.01  # of an image without contrast, whose noise must not be blown up


class Scaled(Resize):
    """Resize images with antialiasing and keep their aspect ratio.

    Sides are rounded to `multiple`, so that no patch of a network is left over: the ratio changes
    by less than half a patch in a side, and no pixel stays unscored.

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
        if (scale or shorter_side or 0) <= 0 or multiple < 1:
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

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize an image or a mask of native size."""
        size = list(self.size_of(tuple(inpt.shape[-2:])))
        if list(inpt.shape[-2:]) == size:
            return inpt
        return resize_tensor(inpt, size, self.interpolation, antialias=self.antialias)

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        names = ("scale", "shorter_side", "multiple", "bicubic")
        return {name: getattr(self, name) for name in names}


class SameContrast(Transform):
    """Give every image mean 0.45 and deviation 0.15; a few pixels leave [0, 1].

    So a lamp's power and a camera's gain go. The colours move together; what differs within an
    image, such as a shadow, stays.
    """

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Return images (..., 3, H, W) in [0, 1] with the same contrast; masks stay."""
        if isinstance(inpt, Mask):
            return inpt
        over = (-3, -2, -1)
        centred = inpt - inpt.mean(dim=over, keepdim=True)
        deviation = centred.square().mean(dim=over, keepdim=True).sqrt()
        return centred * (_DEVIATION / deviation.clamp_min(_LEAST_DEVIATION)) + _MEAN


def leading_resize(transform: Transform | None) -> Resize | None:
    """Return the resize that a pre-processor begins with, if it does.

    A resize that comes after something else (a padding, say) cannot be anticipated.

    Raises:
        ZooError: The transform crops.
    """
    parts = parts_of(transform)
    if any(isinstance(part, CenterCrop) for part in parts):
        raise ZooError(
            "the model's pre-processor crops images to their centre, so that defects at the "
            "border are never seen: give the model a pre_processor with Resize and Normalize"
        )
    return parts[0] if parts and isinstance(parts[0], Resize) else None


def parts_of(transform: Transform | None) -> list[Transform]:
    """Return the transforms that a composition consists of, in order; none for None."""
    if isinstance(transform, Compose):
        return [part for inner in transform.transforms for part in parts_of(inner)]
    return [] if transform is None else [transform]


def size_at(native_size: tuple[int, int], resize: Resize | None) -> tuple[int, int]:
    """Return (h, w) that an image of native size (H, W) has at the model's size.

    Raises:
        ZooError: They are too many pixels.
    """
    if resize is None:
        return native_size
    if isinstance(resize, Scaled):
        return resize.size_of(native_size)
    if resize.size is not None and len(resize.size) == 2:
        height, width = resize.size
        return height, width
    height, width = resize(torch.empty(native_size, device="meta")[None]).shape[-2:]
    check_pixels(native_size, (height, width))
    return height, width


def to_model_size(pixels: np.ndarray, resize: Resize | None) -> np.ndarray:
    """Return an image (H, W, 3) uint8 at the model's size, (h, w, 3) uint8.

    Everything that feeds a model resizes here, so that equal pixels give equal maps.

    Raises:
        ZooError: It would have too many pixels there.
    """
    if resize is None:
        return pixels
    size_at(pixels.shape[:2], resize)
    channels_first = torch.from_numpy(pixels).permute(2, 0, 1)
    return np.ascontiguousarray(resize(Image(channels_first)).permute(1, 2, 0).numpy())


class ZooPreProcessor(PreProcessor):
    """Base class of pre-processors that say more than anomalib's.

    Anomalib's `transform` is what happens to an image, and datamodules resize while they read if it
    begins with a resize; its `export_transform` is the same as an exported graph does it. A
    transform that anomalib cannot save needs both checkpoint hooks of `ScaledPreProcessor`.

    Attributes:
        layout: How images are cut into tiles, of which runs make the training items; None leaves
            them whole.
        map_reduction: By what runs divide the native size for score maps; 1 leaves maps as they
            are.
    """

    layout: Layout | None = None
    map_reduction: int = 1

    @property
    def tiling(self) -> dict[str, Any] | None:
        """What an exported graph of single tiles carries along, as plain data; None by default."""
        return None


def pre_processing_of(pre_processor: nn.Module | None) -> ZooPreProcessor:
    """Return where to ask for the hooks above: the pre-processor itself, or for others defaults."""
    if isinstance(pre_processor, ZooPreProcessor):
        return pre_processor
    own = pre_processor.transform if isinstance(pre_processor, PreProcessor) else None
    return ZooPreProcessor(own)
