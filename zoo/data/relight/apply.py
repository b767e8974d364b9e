"""Relighting of image batches and of single 8-bit images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from zoo.data.relight.families import FUNCTIONS
from zoo.data.relight.light import Light
from zoo.utils.errors import ZooError


def relight(images: Tensor, lights: Light | Sequence[Light]) -> Tensor:
    """Return the images under other lights; masks of the originals stay valid.

    An image comes out the same, bit for bit, alone and in any batch. No global generator is
    touched.

    Args:
        images: (B, 3, H, W) float32 in [0, 1], before any normalisation.
        lights: One light per image, or one light for all.

    Returns:
        Images of the same shape, type and device, in [0, 1].

    Raises:
        ZooError: Images of another shape, type or range, or as many lights as do not fit.
    """
    check_images(images)
    lights = [lights] * len(images) if isinstance(lights, Light) else list(lights)
    if len(lights) != len(images):
        raise ZooError(
            f"{len(lights)} lights for {len(images)} images: give one per image, or one for all"
        )
    if not lights:
        return images.clone()
    # one by one and in one layout: exact whatever the batch
    pairs = zip(images.contiguous().split(1), lights, strict=True)
    return torch.cat([_under(image, light) for image, light in pairs])


def relight_image(pixels: np.ndarray, light: Light) -> np.ndarray:
    """Return an 8-bit image under another light, at its own size.

    Args:
        pixels: (H, W, 3) uint8.
        light: The light.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ZooError: An array of another shape or type.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ZooError(
            f"an image of shape {pixels.shape} and type {pixels.dtype} cannot be relit: "
            "use (H, W, 3) uint8, as zoo.data.images.read_image returns"
        )
    image = torch.tensor(np.ascontiguousarray(pixels)).permute(2, 0, 1)  # (3, H, W)
    relit = relight(image[None].to(torch.float32) / 255, light)[0]
    return as_bytes(relit).permute(1, 2, 0).contiguous().numpy()


def as_bytes(image: Tensor) -> Tensor:
    """Return an image in [0, 1] as uint8, rounded to the nearest grey value."""
    return image if image.dtype == torch.uint8 else (image * 255).round_().to(torch.uint8)


def check_images(images: Tensor) -> None:
    """Raise a ZooError unless images are (B, 3, H, W) float32 in [0, 1]."""
    if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.float32:
        raise ZooError(
            f"images of shape {tuple(images.shape)} and type {images.dtype} cannot be relit: "
            "use (B, 3, H, W) float32 in [0, 1]"
        )
    if not images.numel():
        return
    low, high = (float(value) for value in images.aminmax())
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise ZooError(
            f"images reach from {low:.3g} to {high:.3g}: relight them in [0, 1], "
            "before any normalisation"
        )


def _under(image: Tensor, light: Light) -> Tensor:
    generator = Generator().manual_seed(light.seed)  # on the CPU: alike on every device
    return FUNCTIONS[light.family](image, light.severity, generator)
