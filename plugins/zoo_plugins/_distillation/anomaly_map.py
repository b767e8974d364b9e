"""The score map of reverse distillation: cosine distances of all scales, added and blurred."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TRUNCATE = 4  # standard deviations, as SciPy cuts its kernel
_LEAST = 1e-8  # length of a vector, as in torch's cosine


class CosineDistanceMap(nn.Module):
    """Sum over the scales of 1 - cosine per position, bilinear with aligned corners, blurred.

    Args:
        sigma: Of the Gaussian blur, in pixels of the input.
    """

    def __init__(self, sigma: float = 4.0) -> None:
        super().__init__()
        self.radius = int(_TRUNCATE * sigma + 0.5)
        at = torch.arange(-self.radius, self.radius + 1, dtype=torch.float64)
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        kernel = (kernel / kernel.sum()).float()
        self.register_buffer("kernel", kernel[None, None, None], persistent=False)  # (1, 1, 1, K)

    def forward(
        self, teacher: Sequence[Tensor], student: Sequence[Tensor], size: tuple[int, int]
    ) -> Tensor:
        """Return raw scores (B, 1, H, W), per scale in [0, 2]; [0, 1] for features above zero.

        Args:
            teacher: Maps (B, C_k, h_k, w_k).
            student: Maps of the same shapes.
            size: (H, W) of the result.
        """
        score_map = sum(
            F.interpolate(
                1 - _cosine(one.float(), other.float()),
                size=size,
                mode="bilinear",
                align_corners=True,
            )
            for one, other in zip(teacher, student, strict=True)
        )
        rows_done = self._blurred(score_map)
        return self._blurred(rows_done.transpose(-1, -2)).transpose(-1, -2)

    def _blurred(self, score_map: Tensor) -> Tensor:
        """Blur along the last axis; the border mirrors about the edge of the outermost pixel."""
        left = score_map[..., : self.radius].flip(-1)
        right = score_map[..., -self.radius :].flip(-1)
        return F.conv2d(torch.cat([left, score_map, right], dim=-1), self.kernel)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine per position, (B, 1, h, w), in operations that OpenVINO knows."""
    lengths = [layer.square().sum(1, keepdim=True).sqrt() for layer in (one, other)]
    product = (one * other).sum(1, keepdim=True)
    return product / (lengths[0].clamp_min(_LEAST) * lengths[1].clamp_min(_LEAST))
