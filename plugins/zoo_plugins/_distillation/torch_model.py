"""Reverse distillation (arXiv 2201.10703): a student rebuilds a teacher's maps from a code."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from anomalib.data import InferenceBatch
from torch import Tensor, nn

from zoo.methods.weights import FrozenBackbone
from zoo.utils.errors import ZooError
from zoo_plugins._distillation.networks import MirroredDecoder, OneClassBottleneck

_SIGMA = 4.0  # of the blur, in pixels of the input
_TRUNCATE = 4  # standard deviations, as SciPy cuts its kernel
_LEAST = 1e-8  # length of a vector, as in torch's cosine


class ReverseDistillationModel(nn.Module):
    """Teacher, bottleneck and decoder.

    The arguments are those of `Distillation`.

    Raises:
        ZooError: Unknown backbone or layer, weights or depths that do not fit.
    """

    def __init__(
        self, backbone: str, weights: str, layers: Sequence[str], depths: Sequence[int] = (3, 4, 6)
    ) -> None:
        super().__init__()
        self.teacher = FrozenBackbone(backbone, weights, layers)
        if len(depths) != len(self.teacher.layers):
            raise ZooError(
                f"decoder_depths {list(depths)} do not fit the layers "
                f"{', '.join(self.teacher.layers)}: give one number for each, coarsest first"
            )
        shapes = self.teacher.channels, self.teacher.strides
        self.bottleneck = OneClassBottleneck(*shapes)
        self.decoder = MirroredDecoder(*shapes, depths, signed_maps(self.teacher))
        self.score_map = CosineDistanceMap()

    def student(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Rebuild the teacher's maps (B, C_k, h_k, w_k), finest first, from themselves."""
        return self.decoder(self.bottleneck(features))

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score normalised images (B, 3, H, W).

        Returns:
            anomaly_map (B, 1, H, W), raw scores, float32, and pred_score (B,), its maximum.
        """
        features = self.teacher(images)
        size = (images.shape[-2], images.shape[-1])
        anomaly_map = self.score_map(features, self.student(features), size)
        return InferenceBatch(
            pred_score=anomaly_map.amax(dim=(-3, -2, -1)), anomaly_map=anomaly_map
        )

    def check_image_size(self, size: tuple[int, int]) -> None:
        """Raise unless the student's maps will have the sizes of the teacher's.

        Args:
            size: (height, width) of the network's input in pixels.

        Raises:
            ZooError: A side is no multiple of what the pyramid halves, or so small that the
                coarsest map is a single pixel, of which batch norm can take no variance.
        """
        unit = 2 * self.teacher.strides[-1]  # the student halves the coarsest map once more
        if any(side % unit or side < 2 * unit for side in size):
            raise ZooError(
                f"image_size {size[0]}x{size[1]} does not suit the layers "
                f"{', '.join(self.teacher.layers)}: both sides must be multiples of {unit} pixels, "
                f"and {2 * unit} at least"
            )


class CosineDistanceMap(nn.Module):
    """Sum over the scales of 1 - cosine per position, bilinear with aligned corners, blurred."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.radius = int(_TRUNCATE * _SIGMA + 0.5)
        at = torch.arange(-self.radius, self.radius + 1, dtype=torch.float64)
        kernel = torch.exp(-0.5 * (at / _SIGMA) ** 2)
        kernel = (kernel / kernel.sum()).float()
        self.register_buffer("kernel", kernel[None, None, None], persistent=False)  # (1, 1, 1, K)

    def forward(
        self, teacher: Sequence[Tensor], student: Sequence[Tensor], size: tuple[int, int]
    ) -> Tensor:
        """Return raw scores (B, 1, H, W) of maps (B, C_k, h_k, w_k), per scale in [0, 2]."""
        pairs = zip(teacher, student, strict=True)
        distances = [1 - _cosine(one.float(), other.float()) for one, other in pairs]
        maps = [F.interpolate(d, size=size, mode="bilinear", align_corners=True) for d in distances]
        rows_done = self._blurred(sum(maps[1:], maps[0]))
        return self._blurred(rows_done.transpose(-1, -2)).transpose(-1, -2)

    def _blurred(self, score_map: Tensor) -> Tensor:
        """Blur along the last axis; the border mirrors about the edge of the outermost pixel."""
        left = score_map[..., : self.radius].flip(-1)
        right = score_map[..., -self.radius :].flip(-1)
        return F.conv2d(torch.cat([left, score_map, right], dim=-1), self.kernel)


def distillation_loss(teacher: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
    """Return 1 - cosine of whole maps, mean over the batch, sum over the scales (RD, equation 3).

    The reference flattens maps (B, C_k, h_k, w_k) before it compares: one cosine per image and
    scale. Under autocast torch takes this similarity in single precision.
    """
    losses = [
        (1 - F.cosine_similarity(one.flatten(1), other.flatten(1))).mean()
        for one, other in zip(teacher, student, strict=True)
    ]
    return sum(losses[1:], losses[0])


def signed_maps(teacher: FrozenBackbone) -> list[bool]:
    """Return which maps have negative values: those that end with a ReLU have none."""
    noise = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    return [bool((layer < 0).any()) for layer in teacher(noise)]


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine per position, (B, 1, h, w), in operations that OpenVINO knows."""
    lengths = [layer.square().sum(1, keepdim=True).sqrt() for layer in (one, other)]
    product = (one * other).sum(1, keepdim=True)
    return product / (lengths[0].clamp_min(_LEAST) * lengths[1].clamp_min(_LEAST))
