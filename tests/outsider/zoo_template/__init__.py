"""Template: how far each place of an image is from what normal images show there."""

import torch
from anomalib.data import Batch, InferenceBatch
from anomalib.models import AnomalibModule
from anomalib.models.components import DynamicBufferMixin
from torch import Tensor, nn

from zoo.methods.method import ZooMethod, whole_image
from zoo.methods.weights import EMBEDDED_BACKBONE, create_backbone


class TemplateModel(DynamicBufferMixin, nn.Module):
    """The algorithm: mean and variance of features at each place, and the distance from them."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        options = {"features_only": True, "out_indices": (3,)}  # 112 features per 16 x 16 pixels
        self.network = create_backbone(EMBEDDED_BACKBONE, weights, **options)
        self.register_buffer("sums", torch.zeros(3, 1, 1, 1))  # count, sum, sum of squares

    @torch.no_grad()
    def learn(self, images: Tensor) -> None:
        """Add a batch of normal images (B, 3, H, W) to the sums."""
        [features] = self.network.eval()(images)  # (B, 112, h, w)
        self.sums = self.sums + torch.stack([features**power for power in range(3)]).sum(1)

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score images: larger is more anomalous, nothing is clamped or normalised."""
        [features] = self.network(images)
        mean, square = self.sums[1:] / self.sums[0]
        variance = (square - mean**2).clamp(min=1e-6)
        variance = variance + variance.mean((1, 2), keepdim=True)  # so that no place is too strict
        distance = ((features - mean) ** 2 / variance).mean(1, keepdim=True).sqrt()
        score_map = nn.functional.interpolate(distance, images.shape[-2:], mode="bilinear")
        return InferenceBatch(anomaly_map=score_map, pred_score=score_map.amax((1, 2, 3)))


class Template(ZooMethod, AnomalibModule):
    """The wiring: `weights` as in `zoo.methods.weights`, images as squares of `image_size`."""

    def __init__(self, weights: str = "embedded", image_size: int = 256, **parts) -> None:
        if parts.setdefault("pre_processor", True) is True:
            parts["pre_processor"] = whole_image(image_size, EMBEDDED_BACKBONE, weights)
        super().__init__(**parts)
        self.model = TemplateModel(weights)

    def training_step(self, batch: Batch, *args) -> Tensor:
        self.model.learn(batch.image)
        return torch.zeros((), requires_grad=True)  # lightning wants a loss
