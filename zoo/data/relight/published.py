"""The light changes that VAND entries published as training augmentation.

They were written for 8-bit images at model size: values are clipped to 0..255 and truncated where
the originals do so, and sizes in pixels are scaled from the entry's model size. Flips and crops are
left to torchvision; every object gets the same. Images are (3, H, W) uint8 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
)

from zoo.data.relight.families import integer, uniform

_ISVL_SIDE = 448  # model size of ISVL in pixels
_FILTER_FORMER_SIDE = 896  # and of Filter-Former


def robis(image: Tensor, generator: Generator) -> Tensor:
    """Change the exposure by up to 0.2 stops and add noise of 15 grey values.

    RoBiS (VAND 3.0, second place), arXiv 2505.21152, code HUST-SLOW/RoBiS at c318cf4 (MIT). The
    code's order, exposure before noise; the report has the opposite.
    """
    stops = uniform(generator, -0.2, 0.2)
    noise = 15 * torch.randn(image.shape, generator=generator).to(image.device)
    return exposure_and_noise(image, stops, noise)


def isvl(image: Tensor, generator: Generator) -> Tensor:
    """Apply one of: brightness 0.5..1.2, three rectangles 0.5..1.5, halves 1.5 and 0.7.

    ISVL (VAND 3.0, winner), report and facts of the code ISVL119/isvl at a7e5287 (no licence:
    written from a description), detector branch. Rectangles have sides of 30 to 70 of 448 px.
    """
    kind = integer(generator, 0, 2)
    if kind == 0:
        return adjust_brightness(image, uniform(generator, 0.5, 1.2))
    height, width = image.shape[-2:]
    if kind == 1:
        for _ in range(3):
            wide, high = _part_of(width, generator), _part_of(height, generator)
            left = integer(generator, 0, width - wide)
            top = integer(generator, 0, height - high)
            factor = uniform(generator, 0.5, 1.5)
            image = brighter_part(image, factor, top, left, high, wide)
        return image
    image = brighter_part(image, 1.5, 0, 0, height, width // 2)
    return brighter_part(image, 0.7, 0, width // 2, height, width - width // 2)


def filter_former(image: Tensor, generator: Generator) -> Tensor:
    """Change brightness, contrast or saturation by 0.8..1.2, then light a sector by 0.85..1.2.

    Filter-Former (VAND 3.0, fifth place), report and code jcjing-commit/Filter-Former at 79b857b
    (MIT). The sector's corner lies within 150 of 896 px of the middle.
    """
    adjust = (adjust_brightness, adjust_contrast, adjust_saturation)[integer(generator, 0, 2)]
    image = adjust(image, uniform(generator, 0.8, 1.2))
    angle = 90 * integer(generator, 0, 3)
    row, column = (_near_middle(side, generator) for side in image.shape[-2:])
    return directional_light(image, angle, (row, column), uniform(generator, 0.7, 1.4))


def superadd(image: Tensor, generator: Generator) -> Tensor:
    """Change the brightness by 0.8..1.2, as SuperADD (VAND 4.0, arXiv 2605.14808) fills its bank.

    From the description in the paper; the code (CC BY-NC) was not used.
    """
    return adjust_brightness(image, uniform(generator, 0.8, 1.2))


class Published(NamedTuple):
    """A published family and the probability that an image goes through it."""

    change: Callable[[Tensor, Generator], Tensor]
    p: float


PUBLISHED = {
    "robis": Published(robis, 0.5),
    "isvl": Published(isvl, 0.5),
    "filter_former": Published(filter_former, 1.0),
    "superadd": Published(superadd, 1.0),
}


def exposure_and_noise(image: Tensor, stops: float, noise: Tensor) -> Tensor:
    """Multiply by 2**stops, clip, add noise (3, H, W) in grey values, clip and truncate."""
    exposed = (image.double() * 2.0**stops).clamp_(0, 255)
    return (exposed + noise).clamp_(0, 255).to(torch.uint8)


def brighter_part(
    image: Tensor, factor: float, top: int, left: int, height: int, width: int
) -> Tensor:
    """Multiply a rectangle by `factor`, clip and truncate."""
    image = image.clone()
    part = image[:, top : top + height, left : left + width]
    part.copy_(adjust_brightness(part, factor))
    return image


def directional_light(image: Tensor, angle: int, centre: tuple[int, int], rate: float) -> Tensor:
    """Multiply a sector by (1 + rate) / 2, clip and truncate; its edges are hard.

    Angle 0 is a ray downwards from the centre (row, column), 90 the lower left, 180 the left half,
    270 all but the lower right.
    """
    rows = centre[0] - torch.arange(image.shape[1], dtype=torch.float64).view(-1, 1)
    columns = centre[1] - torch.arange(image.shape[2], dtype=torch.float64)
    bearing = torch.atan2(rows, columns).rad2deg_().add_(90).remainder_(360)  # (H, W)
    factor = torch.ones_like(bearing).masked_fill_(bearing <= angle, 0.5 + 0.5 * rate)
    return (image * factor.to(image.device)).clamp_(0, 255).to(torch.uint8)


def _near_middle(side: int, generator: Generator) -> int:
    """Draw a row or column within 150 of 896 px of the middle of a side."""
    offset = round(integer(generator, -150, 150) * side / _FILTER_FORMER_SIDE)
    return min(max(side // 2 + offset, 0), side - 1)


def _part_of(side: int, generator: Generator) -> int:
    """Draw 30 to 70 of 448 px of a side."""
    return max(1, round(integer(generator, 30, 70) * side / _ISVL_SIDE))
