"""Reverse distillation: a frozen teacher, and a student that rebuilds its maps from a compact code.

Paper: Anomaly Detection via Reverse Distillation from One-Class Embedding, arXiv 2201.10703.
Reference: hq-deng/RD4AD, MIT (its commit: card.yaml of `rd`).
Differences: the blur is separable, equal to SciPy's to 1e-5; layers behind the last one that is
used are not computed; the decoder gives negative values where the teacher does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalib.data import InferenceBatch
from torch import Tensor, nn

from zoo.utils.errors import ZooError
from zoo_plugins._distillation.anomaly_map import CosineDistanceMap
from zoo_plugins._distillation.networks import MirroredDecoder, OneClassBottleneck
from zoo_plugins._distillation.teacher import Teacher


class ReverseDistillationModel(nn.Module):
    """Teacher, bottleneck and decoder.

    Args:
        backbone: A timm name of a convolutional network: the teacher.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: The teacher's layers that are rebuilt, as timm's feature_info names them.
        depths: Residual blocks of the decoder per layer, coarsest first.

    Raises:
        ZooError: Unknown backbone or layer, weights or depths that do not fit.
    """

    def __init__(
        self,
        backbone: str,
        weights: str | Path,
        layers: Sequence[str],
        depths: Sequence[int] = (3, 4, 6),
    ) -> None:
        super().__init__()
        self.teacher = Teacher(backbone, weights, layers)
        if len(depths) != len(self.teacher.layers):
            raise ZooError(
                f"decoder_depths {list(depths)} do not fit the layers "
                f"{', '.join(self.teacher.layers)}: give one number for each, coarsest first"
            )
        shapes = self.teacher.channels, self.teacher.strides
        self.bottleneck = OneClassBottleneck(*shapes)
        self.decoder = MirroredDecoder(*shapes, depths, self.teacher.signed())
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
