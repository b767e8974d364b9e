"""EfficientAD: anomalib's networks, with the reference's loss, quantiles and order of padding."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from anomalib.data import InferenceBatch
from torch import Tensor, nn

from zoo.data.anomalib_internals import AutoEncoder
from zoo_plugins.efficientad.networks import ModelSize, patch_network

BORDER_CELLS = 4  # what the networks lose on each side for want of padding
HARD_QUANTILE = 0.999
_SCALE = 0.1  # of a map: 0 at the lower quantile, this at the upper one


class EfficientAdNetworks(nn.Module):
    """Teacher, student and autoencoder.

    Args:
        size: small or medium.
        channels: Of the teacher; the student has twice as many.
    """

    teacher_mean: Tensor
    teacher_std: Tensor
    quantiles: Tensor

    def __init__(self, size: ModelSize = "small", channels: int = 384) -> None:
        super().__init__()
        self.channels = channels
        self.teacher = patch_network(size, channels).requires_grad_(False).eval()
        self.student = patch_network(size, 2 * channels)
        self.autoencoder = AutoEncoder(out_channels=channels, padding=False)
        self.register_buffer("teacher_mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("teacher_std", torch.ones(1, channels, 1, 1))
        # Of raw map values of normal images, lower and upper: student-teacher, student-autoencoder.
        self.register_buffer("quantiles", torch.tensor([[0.0, _SCALE], [0.0, _SCALE]]))

    def train(self, mode: bool = True) -> EfficientAdNetworks:
        """Keep the teacher in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    @torch.no_grad()
    def describe(self, images: Tensor) -> Tensor:
        """Return the teacher's output, channels not yet standardised, (B, C, H/4-8, W/4-8)."""
        return self.teacher(images)

    def standardised(self, described: Tensor) -> Tensor:
        """Return the teacher's channels with mean 0 and deviation 1 over the training images."""
        return (described - self.teacher_mean) / self.teacher_std

    def losses(
        self,
        plain: Tensor,
        jittered: Tensor,
        penalty: Tensor | None = None,
        described: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms of the loss, whose weights are all 1 (paper, section 3.3 and 3.4).

        Args:
            plain: Normal images (B, 3, H, W) in [0, 1].
            jittered: The same ones in other colours.
            penalty: Images of anything else, on which the student shall not imitate the teacher.
            described: The teacher's output for the plain ones, where it is known.
        """
        n = len(plain)
        if described is None:
            described, described_jittered = self.describe(torch.cat([plain, jittered])).split(n)
        else:
            described_jittered = self.describe(jittered)
        images = [plain, jittered] if penalty is None else [plain, jittered, penalty]
        student = self.student(torch.cat(images))
        rebuilt = self.autoencoder(jittered, jittered.shape[-2:])
        c = self.channels
        distance = (self.standardised(described) - student[:n, :c]) ** 2
        losses = {
            "hard": hardest(distance).mean(),
            "autoencoder": F.mse_loss(rebuilt, self.standardised(described_jittered)),
            # Neither side is detached: the autoencoder learns to be imitated, too.
            "student_autoencoder": F.mse_loss(student[n : 2 * n, c:], rebuilt),
        }
        if penalty is not None:
            losses["penalty"] = (student[2 * n :, :c] ** 2).mean()
        return losses

    def raw_maps(self, images: Tensor) -> Tensor:
        """Return both maps before any normalisation, (B, 2, H/4-8, W/4-8).

        Channel 0 is student against teacher (structure), 1 student against autoencoder (logic).
        """
        student = self.student(images)
        described = self.standardised(self.teacher(images))
        rebuilt = self.autoencoder(images, images.shape[-2:])
        targets = torch.cat([described, rebuilt], dim=1)
        return ((targets - student) ** 2).unflatten(1, (2, self.channels)).mean(dim=2)

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score images (B, 3, H, W) in [0, 1].

        Returns:
            anomaly_map (B, 1, H, W), raw scores, float32: 0 at the lower quantile of normal images,
            0.1 at the upper one, and at the border, which the networks do not see, 0. pred_score
            (B,) is its maximum.
        """
        anomaly_map = combined(self.raw_maps(images), self.quantiles)
        # Padded only now: zero is then the level of the lower quantile, not a perfect match.
        anomaly_map = F.pad(anomaly_map, (BORDER_CELLS,) * 4)
        size = (images.shape[-2], images.shape[-1])
        anomaly_map = F.interpolate(anomaly_map, size=size, mode="bilinear")
        return InferenceBatch(
            pred_score=anomaly_map.amax(dim=(-3, -2, -1)), anomaly_map=anomaly_map
        )


def hardest(distance: Tensor) -> Tensor:
    """Return the elements of each image that reach its 0.999 quantile, (B, K).

    The linearly interpolated quantile lies between two elements in order; those from the upper one
    on reach it.

    Args:
        distance: (B, C, h, w).
    """
    flat = distance.flatten(1)
    count = flat.shape[1]
    return flat.topk(count - math.ceil(HARD_QUANTILE * (count - 1))).values


def combined(raw_maps: Tensor, quantiles: Tensor) -> Tensor:
    """Return the mean of both maps, each scaled by its quantiles, (B, 1, h, w).

    Args:
        raw_maps: (B, 2, h, w).
        quantiles: (2, 2): lower and upper, per map.
    """
    lower, upper = quantiles.T.reshape(2, 1, 2, 1, 1)
    return (_SCALE * (raw_maps - lower) / (upper - lower)).mean(dim=1, keepdim=True)
