"""What the camera makes of a changed light: saturation, and a shutter that keeps detail."""

from __future__ import annotations

import torch
from kornia.enhance import adjust_brightness_accumulative
from torch import Tensor

_SATURATED = 0.95  # mean of the channels from which on a pixel has no detail to lose
_KEPT = 0.75  # share of the detail that stays below white
_SAMPLES = 128  # per side: enough for a percentile


def expose(images: Tensor, stops: Tensor) -> Tensor:
    """Multiply images by 2**stops and clip them to [0, 1], as a sensor saturates.

    Where a light would turn more than a quarter of an image's detail white the shutter closes until
    it does not, as on every line that somebody has set up: a white picture is no test of anything.
    Detail is what is darker than 0.95 (mean of the channels), so that a white background does not
    count. A light that burns out less is left as it is. Each image is exposed by itself.

    Args:
        images: (B, 3, H, W) float32 in [0, 1].
        stops: (1 or 3, 1 or H, 1 or W) change of light in stops of the pixel value.

    Returns:
        Images of the same shape and type, in [0, 1].
    """
    factor = torch.exp2(stops)
    step = -(-max(images.shape[-2:]) // _SAMPLES)
    seen = images[..., ::step, ::step]
    before = seen.mean(1)  # (B, h, w)
    after = (seen * factor[..., ::step, ::step]).mean(1)
    detail = after.masked_fill(before >= _SATURATED, torch.nan).flatten(1)  # (B, h * w)
    white = detail.nanquantile(_KEPT, dim=1).nan_to_num(1.0).clamp(min=1.0)  # (B,)
    return adjust_brightness_accumulative(images, factor / white.view(-1, 1, 1, 1))
