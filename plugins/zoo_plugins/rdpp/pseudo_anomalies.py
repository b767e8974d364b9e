"""Images with one block of noise each, which RD++ takes for defects in training.

Differences from the reference: the noise is scaled to normalised images, where it is added, and the
block grows with the image: 10 to side / 8 - 1 pixels, which is 10 to 31 at 256 pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoo_plugins.rdpp.noise import octave_noise

_STRENGTH = 0.2
_LEAST_PX = 10


class NoiseBlocks:
    """Adds a block of noise to each image, at a place and of a size that are drawn.

    The reference seeds its noise once and always evaluates it from the origin: every block is the
    corner of one and the same pattern, only its place and size differ.

    Args:
        seed: Of the pattern.
        std: (R, G, B) that images were divided by; noise is added to images in [0, 1].
        fresh: A new pattern for every block, which is what the paper describes.
    """

    def __init__(self, seed: int, std: Tensor, fresh: bool = False) -> None:
        self.seed, self.std, self.fresh = seed, std.cpu().reshape(3, 1, 1), fresh
        self._pattern = np.zeros((3, 0, 0))

    def __call__(self, images: Tensor) -> Tensor:
        """Return a copy of normalised images (B, 3, H, W) with a block in each; nothing is clipped.

        Draws from torch's global generator, four numbers per image, five with fresh noise.
        """
        noisy = images.clone()
        for image in noisy:
            height, width = (_drawn(_LEAST_PX, _most_px(side)) for side in image.shape[-2:])
            top = _drawn(1, image.shape[-2] - height - 1)
            left = _drawn(1, image.shape[-1] - width - 1)
            block = self._block(height, width, max(map(_most_px, image.shape[-2:])))
            image[:, top : top + height, left : left + width] += block.to(image)
        return noisy

    def _block(self, height: int, width: int, most_px: int) -> Tensor:
        """Return noise (3, height, width) on the scale of normalised images."""
        if self.fresh:
            noise = octave_noise(_drawn(0, 2**31), (3, height, width))
        else:
            if self._pattern.shape[-1] < most_px:
                self._pattern = octave_noise(self.seed, (3, most_px, most_px))
            noise = self._pattern[:, :height, :width]
        return _STRENGTH * torch.from_numpy(noise).float() / self.std


def _most_px(side: int) -> int:
    return max(_LEAST_PX, side // 8 - 1)


def _drawn(low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, ()))
