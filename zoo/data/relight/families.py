"""Six families of light change, and their application to batches and single 8-bit images.

A family is a pure function of images (B, 3, H, W) float32 in [0, 1], a severity from 1 to 5 and a
generator; one light falls on all images of a call and moves nothing, so that masks stay valid.

Light multiplies: a lamp that is f times brighter multiplies the linear light of a pixel by f, which
is f ** (1/2.2) on a pixel value behind a tone curve and f itself on a linear machine-vision camera.
Multiplying pixel values is right for both. Strengths are in stops of the pixel value.

kornia's `adjust_gamma` and `adjust_brightness_accumulative` do the arithmetic. Its random
illuminations draw for a whole batch from the global generator and mostly add grey instead of
multiplying, so they are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from kornia.enhance import adjust_brightness_accumulative, adjust_gamma
from torch import Generator, Tensor

from zoo.data.relight.light import STOPS, Light
from zoo.utils.errors import ZooError

# Rec. 709: how bright red, green and blue of one strength are
_LUMINANCE = (0.2126, 0.7152, 0.0722)
# Sensors saturate above and not below: a brighter shutter takes this share of the stops.
_BRIGHTER = 0.65
_SATURATED = 0.95  # mean of the channels from which on a pixel has no detail to lose
_KEPT = 0.75  # share of the detail that stays below white
_SAMPLES = 128  # per side: enough for a percentile


def relight(images: Tensor, lights: Light | Sequence[Light]) -> Tensor:
    """Return the images under other lights, of the same shape, type and device, in [0, 1].

    An image comes out the same, bit for bit, alone and in any batch. No global generator is
    touched.

    Args:
        images: (B, 3, H, W) float32 in [0, 1], before any normalisation.
        lights: One light per image, or one light for all.

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
    """Return an 8-bit image (H, W, 3) under another light, at its own size.

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


def gain(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Open or close the shutter, or turn the lamp up or down."""
    strength = _strength("gain", severity, generator)
    stops = _BRIGHTER * strength if _heads(generator) else -strength
    return expose(images, images.new_tensor(stops).view(1, 1, 1))


def gamma(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Bend the tone curve: black and white stay, the tones between get brighter or darker."""
    strength = _strength("gamma", severity, generator)
    stops = -strength if _heads(generator) else strength
    return adjust_gamma(images, gamma=2.0**stops)


def gradient(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Move the lamp to one side: brighter there, darker on the other, the same in the middle."""
    strength = _strength("gradient", severity, generator)
    along, reach = _along(images, angle=uniform(generator, 0, 2 * math.pi))
    return expose(images, along.mul_(strength / reach))


def spot(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Narrow the beam to a round spot somewhere in the image.

    The spot gains, the surroundings lose, or something of both.
    """
    strength = _strength("spot", severity, generator)
    column, row = uniform(generator, -0.8, 0.8), uniform(generator, -0.8, 0.8)
    radius = uniform(generator, 0.15, 0.40)
    lost = uniform(generator, 0, 1)
    x, y, right, bottom = _coordinates(images)
    squared = (x - column * right) ** 2 + (y - row * bottom) ** 2  # (1, H, W)
    beam = squared.div_(-2 * radius * radius).exp_()
    return expose(images, beam.sub_(lost).mul_(strength))


def colour_cast(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Put in a warmer or a colder lamp, with a touch of green or magenta, of the same luminance.

    Images without any colour come from a camera that sees none and stay as they are.
    """
    strength = _strength("colour_cast", severity, generator)
    warmth = strength if _heads(generator) else -strength
    tint = uniform(generator, -0.25, 0.25)
    lamp = 2 ** (warmth * torch.tensor([0.5, tint, -0.5], dtype=torch.float64))
    stops = torch.log2(lamp / (lamp @ torch.tensor(_LUMINANCE, dtype=torch.float64)))
    grey = (images == images[:, :1]).flatten(1).all(1)  # (B,)
    cast = expose(images, stops.to(images).view(3, 1, 1))
    return torch.where(grey.view(-1, 1, 1, 1), images, cast)


def shadow(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Hold something between lamp and object: a bent band with soft edges falls across it."""
    strength = _strength("shadow", severity, generator)
    angle = uniform(generator, 0, 2 * math.pi)
    place = uniform(generator, -0.6, 0.6)
    half_width = uniform(generator, 0.08, 0.30)  # long sides of the image, as all below
    penumbra = uniform(generator, 0.02, 0.15)
    bend, phase = uniform(generator, 0, 0.06), uniform(generator, 0, 2 * math.pi)
    across, reach = _along(images, angle)
    along, _ = _along(images, angle + math.pi / 2)
    edge = along.mul_(2 * math.pi).add_(phase).sin_().mul_(bend).add_(half_width)
    inside = edge.sub_(across.sub_(place * reach).abs_())  # (1, H, W): distance from the edge
    depth = inside.div_(penumbra).add_(0.5).clamp_(0, 1)  # 0 in the light, 1 in the core
    return expose(images, depth.mul_(math.pi).cos_().sub_(1).mul_(strength / 2))


Family = Callable[[Tensor, int, Generator], Tensor]
FUNCTIONS: Mapping[str, Family] = MappingProxyType(
    {function.__name__: function for function in (gain, gamma, gradient, spot, colour_cast, shadow)}
)


def _strength(family: str, severity: int, generator: Generator) -> float:
    """Draw the strength in stops; the same draw at a higher severity is a greater strength."""
    return uniform(generator, *STOPS[family][severity - 1])


def _heads(generator: Generator) -> bool:
    return uniform(generator, 0, 1) < 0.5


def _coordinates(images: Tensor) -> tuple[Tensor, Tensor, float, float]:
    """Return x (1, 1, W), y (1, H, 1) and both at the border; unit: long side, 0 in the middle."""
    height, width = images.shape[-2:]
    right, bottom = width / 2 / max(height, width), height / 2 / max(height, width)
    x = (torch.arange(width).to(images) + 0.5) * (2 * right / width) - right
    y = (torch.arange(height).to(images) + 0.5) * (2 * bottom / height) - bottom
    return x.view(1, 1, -1), y.view(1, -1, 1), right, bottom


def _along(images: Tensor, angle: float) -> tuple[Tensor, float]:
    """Return the coordinate along a direction, (1, H, W), and its greatest value in the image."""
    x, y, right, bottom = _coordinates(images)
    cosine, sine = math.cos(angle), math.sin(angle)
    return cosine * x + sine * y, abs(cosine) * right + abs(sine) * bottom


def expose(images: Tensor, stops: Tensor) -> Tensor:
    """Multiply images by 2**stops and clip them to [0, 1], as a sensor saturates.

    Where a light would turn more than a quarter of an image's detail white the shutter closes until
    it does not. Detail is darker than 0.95 (mean of the channels): a white background does not
    count.

    Args:
        images: (B, 3, H, W) float32 in [0, 1]; each is exposed by itself.
        stops: (1 or 3, 1 or H, 1 or W) change of light in stops of the pixel value.
    """
    factor = torch.exp2(stops)
    step = -(-max(images.shape[-2:]) // _SAMPLES)
    seen = images[..., ::step, ::step]
    before = seen.mean(1)  # (B, h, w)
    after = (seen * factor[..., ::step, ::step]).mean(1)
    detail = after.masked_fill(before >= _SATURATED, torch.nan).flatten(1)  # (B, h * w)
    white = detail.nanquantile(_KEPT, dim=1).nan_to_num(1.0).clamp(min=1.0)  # (B,)
    return adjust_brightness_accumulative(images, factor / white.view(-1, 1, 1, 1))


def uniform(generator: Generator, low: float, high: float) -> float:
    """Draw a number between `low` and `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def integer(generator: Generator, low: int, high: int) -> int:
    """Draw a whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))
