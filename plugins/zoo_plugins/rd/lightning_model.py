"""Reverse Distillation for any convolutional teacher, trained as published.

Paper: Anomaly Detection via Reverse Distillation from One-Class Embedding, arXiv 2201.10703.
Reference: hq-deng/RD4AD, MIT (its commit: card.yaml).
Differences: any timm teacher; its features are computed once where images are not augmented. The
rest, with reasons: card.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models import AnomalibModule
from anomalib.visualization import Visualizer
from torch import Tensor, nn

from zoo.methods.method import whole_image
from zoo_plugins._distillation.lightning_model import Distillation
from zoo_plugins._distillation.loss import distillation_loss
from zoo_plugins._distillation.torch_model import ReverseDistillationModel


class ZooReverseDistillation(Distillation, AnomalibModule):
    """Reverse Distillation (Deng and Li, CVPR 2022).

    Args:
        backbone: A timm name of a convolutional network: the teacher.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: The teacher's layers that are rebuilt, as timm's feature_info names them.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels:
            multiples of twice the coarsest layer's stride.
        decoder_depths: Residual blocks of the decoder per layer, coarsest first.
        learning_rate: Of Adam, with the published betas (0.5, 0.999).
        feature_cache_mb: Most memory for the teacher's features of the training images; 0 computes
            them in every step.
        pre_processor: True for a resize of the whole image with the backbone's statistics.
        post_processor: True for the shared one.
        evaluator: True for anomalib's, at model size.
        visualizer: True for anomalib's.

    Raises:
        ZooError: Unknown backbone or layer, weights that do not fit, or an unsuitable image size.
    """

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[str] = ("blocks.1", "blocks.2", "blocks.4"),
        image_size: int | tuple[int, int] = 256,
        decoder_depths: Sequence[int] = (3, 4, 6),
        learning_rate: float = 0.005,
        feature_cache_mb: float = 1000.0,
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        if pre_processor is True:
            pre_processor = whole_image(image_size, backbone, weights)
        super().__init__(
            pre_processor=pre_processor,
            post_processor=post_processor,
            evaluator=evaluator,
            visualizer=visualizer,
        )
        self.model = ReverseDistillationModel(backbone, weights, layers, decoder_depths)
        self.learning_rate = learning_rate
        self.feature_cache_mb = feature_cache_mb
        self.check_size()

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Compare the student's maps with the teacher's."""
        features = self.teacher_features(batch)
        loss = distillation_loss(features, self.model.student(features))
        self.log("train_loss", loss.detach(), prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam for bottleneck and decoder."""
        trained = [*self.model.bottleneck.parameters(), *self.model.decoder.parameters()]
        return torch.optim.Adam(trained, lr=self.learning_rate, betas=(0.5, 0.999))
