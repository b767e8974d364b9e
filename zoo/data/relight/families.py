"""Six families of light change, each a pure function of images, a severity and a generator.

One light falls on all images of a call, and it never moves anything: masks stay valid.

Light multiplies. A lamp that is f times brighter multiplies the linear light of a pixel by f. That
is a factor f ** (1/2.2) on the pixel value behind a tone curve with exponent 1/2.2, and f itself on
a linear machine-vision camera. Multiplying pixel values is right for both, needs no guess about the
camera and takes a tenth of the time of the way through linear light. Strengths are in stops of the
pixel value (`zoo.data.relight.light`); behind a tone curve one of these is 2.2 stops of light.

kornia's `adjust_gamma` and `adjust_brightness_accumulative` do the arithmetic. Its random
illuminations (linear, Gaussian, plasma shadow, Planckian jitter) are not used: they draw for a
whole batch from the global generator, so that an image depends on its neighbours, and all but the
last add grey instead of multiplying, which lifts black and shades dark parts as much as bright.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from kornia.enhance import adjust_gamma
from torch import Generator, Tensor

from zoo.data.relight.draws import uniform
from zoo.data.relight.exposure import expose
from zoo.data.relight.light import STOPS

# Rec. 709: how bright red, green and blue of one strength are
_LUMINANCE = (0.2126, 0.7152, 0.0722)
# Sensors saturate above and not below: a brighter shutter takes this share of the stops.
_BRIGHTER = 0.65


def gain(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Open or close the shutter, or turn the lamp up or down.

    Args:
        images: (B, 3, H, W) float32 in [0, 1], as for every family.
        severity: 1 to 5.
        generator: Source of every draw.

    Returns:
        The images under the new light, of the same shape and type, in [0, 1].
    """
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
    """Narrow the beam to a round spot somewhere in the picture.

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
    half_width = uniform(generator, 0.08, 0.30)  # long sides of the picture, as all below
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
    """Return where the pixels are: x (1, 1, W), y (1, H, 1), and both at the picture's border.

    The unit is the long side and zero is the middle, so that a light looks the same at every size.
    """
    height, width = images.shape[-2:]
    right, bottom = width / 2 / max(height, width), height / 2 / max(height, width)
    x = (torch.arange(width).to(images) + 0.5) * (2 * right / width) - right
    y = (torch.arange(height).to(images) + 0.5) * (2 * bottom / height) - bottom
    return x.view(1, 1, -1), y.view(1, -1, 1), right, bottom


def _along(images: Tensor, angle: float) -> tuple[Tensor, float]:
    """Return the coordinate along a direction, (1, H, W), and its greatest value in the picture."""
    x, y, right, bottom = _coordinates(images)
    cosine, sine = math.cos(angle), math.sin(angle)
    return cosine * x + sine * y, abs(cosine) * right + abs(sine) * bottom
