"""Other lights as an augmentation of training images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import Transform
from torchvision.transforms.v2.functional import adjust_brightness, is_pure_tensor

from zoo.data.relight.families import as_bytes, check_images, integer, relight, uniform
from zoo.data.relight.light import FAMILIES, Light, check_family, check_severity
from zoo.utils.errors import ZooError, nearest

_PRESETS = {"all": 0.5, "superadd": 1.0}  # and the probability that an image is relit
_SEVERITY = 3
_BRIGHTNESS = 0.8, 1.2  # of superadd


class Relight(Transform):
    """Put training images under other lights; masks and everything else stay as they are.

    Draws from torch's global generator, which the run's seed has set, two numbers per call.

    Args:
        preset: all (the six families of `zoo.data.relight`), or superadd: another brightness, as
            SuperADD (VAND 4.0, arXiv 2605.14808) fills its bank, written from the paper.
        severity: Preset all only: strongest severity; each image draws from 1 to this one.
        families: Preset all only: families to draw from, so that one can be kept for the test.
        p: Probability that an image is relit; by default 0.5, of superadd 1.

    Raises:
        ZooError: Unknown preset or family, a number out of range, or an image that is not (3, H,
            W), uint8 or float32 in [0, 1].
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image)

    def __init__(
        self,
        preset: str = "all",
        severity: int | None = None,
        families: Sequence[str] | None = None,
        p: float | None = None,
    ) -> None:
        super().__init__()
        if preset not in _PRESETS:
            raise ZooError(f"unknown preset of lights '{preset}'{nearest(preset, _PRESETS)}")
        if preset != "all" and not (severity is None and families is None):
            raise ZooError(
                f"preset '{preset}' has its published range: leave severity and families out, "
                "or use preset 'all'"
            )
        self.preset = preset
        self.severity = _SEVERITY if severity is None else severity
        self.families = FAMILIES if families is None else tuple(families)
        self.p = _PRESETS[preset] if p is None else p
        check_severity(self.severity)
        for family in self.families:
            check_family(family)
        if not self.families:
            names = ", ".join(FAMILIES)
            raise ZooError(f"no families of lights to draw from: name some of {names}")
        if not 0 <= self.p <= 1:
            raise ZooError(f"probability p of relighting is {self.p}: use a number from 0 to 1")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw whether the images are relit, and the seed of the light."""
        lit = float(torch.rand(())) < self.p
        seed = int(torch.randint(2**32, ()))
        return {"seed": seed if lit else None}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Return the image under the light of `params`, as it came: uint8 or float32."""
        if params["seed"] is None:
            return inpt
        image = _as_floats(inpt.as_subclass(Tensor))
        check_images(image[None])
        generator = Generator().manual_seed(params["seed"])
        if self.preset == "all":
            relit = relight(image[None], self._drawn(generator))[0]
        else:
            factor = uniform(generator, *_BRIGHTNESS)
            relit = _as_floats(adjust_brightness(as_bytes(image), factor))
        return tv_tensors.wrap(as_bytes(relit) if inpt.dtype == torch.uint8 else relit, like=inpt)

    def _drawn(self, generator: Generator) -> Light:
        family = self.families[integer(generator, 0, len(self.families) - 1)]
        severity = integer(generator, 1, self.severity)
        return Light(family, severity, integer(generator, 0, 2**32 - 1))


def _as_floats(image: Tensor) -> Tensor:
    """Return an image in [0, 1] whatever its type."""
    return image.to(torch.float32) / 255 if image.dtype == torch.uint8 else image
