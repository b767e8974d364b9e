"""One brightness and one contrast for every image, so that a lamp's power and a camera's gain go.

The three colours move together: a coloured light stays coloured. What differs within an image, a
shadow or a gradient, stays as well.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchvision.transforms.v2 import Transform
from torchvision.tv_tensors import Mask

_MEAN, _DEVIATION = 0.45, 0.15  # of most photographs, in [0, 1]
_LEAST_DEVIATION = 0.01  # of an image without contrast, whose noise must not be blown up


class SameContrast(Transform):
    """A transform that gives every image the same mean and deviation; a few pixels leave [0, 1]."""

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Return images (..., 3, H, W), each with mean 0.45 and deviation 0.15; masks stay.

        Args:
            inpt: (..., 3, H, W) in [0, 1], or masks.
            params: Nothing.
        """
        if isinstance(inpt, Mask):
            return inpt
        over = (-3, -2, -1)
        centred = inpt - inpt.mean(dim=over, keepdim=True)
        deviation = centred.square().mean(dim=over, keepdim=True).sqrt()
        return centred * (_DEVIATION / deviation.clamp_min(_LEAST_DEVIATION)) + _MEAN
