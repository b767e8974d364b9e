"""RD++ as its released code behaves, for any convolutional teacher.

Paper: Revisiting Reverse Distillation for Anomaly Detection, CVPR 2023 (Tien et al.).
Reference: tientrandinh/Revisiting-Reverse-Distillation, MIT (its commit: card.yaml).
Differences: any timm teacher; every object is trained for as long, where the reference has epochs
per class, and keeps its last weights, where the reference keeps those that are best on the test
set; the teacher is not differentiated through. The rest, with reasons: card.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models import AnomalibModule
from anomalib.visualization import Visualizer
from torch import Tensor, nn
from torchvision.transforms.v2 import Normalize

from zoo.data.anomalib_internals import extract_transforms_by_type
from zoo.methods.method import whole_image
from zoo_plugins._distillation.lightning_model import Distillation
from zoo_plugins._distillation.loss import distillation_loss
from zoo_plugins.rdpp.pseudo_anomalies import NoiseBlocks
from zoo_plugins.rdpp.torch_model import ProjectedDistillationModel, projection_losses

_PROJECTION_WEIGHT = 0.2


class ReverseDistillationPlusPlus(Distillation, AnomalibModule):
    """RD++ (Tien et al., CVPR 2023).

    Args:
        backbone: A timm name of a convolutional network: the teacher.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: The teacher's layers that are rebuilt, as timm's feature_info names them.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels:
            multiples of twice the coarsest layer's stride.
        decoder_depths: Residual blocks of the decoder per layer, coarsest first.
        learning_rate: Of Adam for bottleneck and decoder, with the published betas (0.5, 0.999).
        projection_learning_rate: Of the same Adam for the projections.
        accumulate_batches: Batches whose gradients are added up, not averaged, for one step.
        fresh_noise: A new noise pattern for every image. The released code cuts all its blocks from
            one pattern.
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
        projection_learning_rate: float = 0.001,
        accumulate_batches: int = 2,
        fresh_noise: bool = False,
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
        self.automatic_optimization = False  # steps are a matter of several batches
        self.model = ProjectedDistillationModel(backbone, weights, layers, decoder_depths)
        self.learning_rate = learning_rate
        self.projection_learning_rate = projection_learning_rate
        self.accumulate_batches = accumulate_batches
        self.fresh_noise = fresh_noise
        self.feature_cache_mb = feature_cache_mb
        self.check_size()
        # In the checkpoint: a training that is gone on with needs the same pattern.
        self.register_buffer("noise_seed", torch.randint(2**31, ()))

    def on_train_start(self) -> None:
        """Prepare the noise."""
        super().on_train_start()
        transform = getattr(self.pre_processor, "transform", None)
        found = extract_transforms_by_type(transform, Normalize) if transform else []
        std = torch.tensor(found[0].std if found else [1.0, 1.0, 1.0])
        self._noise = NoiseBlocks(int(self.noise_seed), std, self.fresh_noise)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Take one batch, and every second time an optimizer step."""
        losses = self.losses(batch)
        loss = losses["distillation"] + _PROJECTION_WEIGHT * losses["projection"]
        self.manual_backward(loss)
        # What an odd last batch leaves is added to the next epoch, as published; but an epoch of
        # one batch would never come to a step.
        if (batch_idx + 1) % min(self.accumulate_batches, self.trainer.num_training_batches) == 0:
            optimizer = self.optimizers()
            optimizer.step()
            optimizer.zero_grad()
        logged = {f"train_{name}": value.detach() for name, value in losses.items()}
        self.log_dict({**logged, "train_loss": loss.detach()}, prog_bar=False)
        return {"loss": loss.detach()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return all terms of a batch: `distillation` and those of `projection_losses`."""
        features, noisy = self._teacher_features(batch)
        # Instance norm knows no other images: one pass over both is the same as two.
        both = [torch.cat(pair) for pair in zip(features, noisy, strict=True)]
        projected, projected_noisy = zip(
            *(layer.chunk(2) for layer in self.model.project(both)), strict=True
        )
        rebuilt = self.model.decoder(self.model.bottleneck(projected))
        return {
            "distillation": distillation_loss(features, rebuilt),
            **projection_losses(noisy, projected_noisy, projected),
        }

    def _teacher_features(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Return the teacher's maps of a batch as it is, and with noise."""
        noisy = self._noise(batch.image)
        if self._frozen is not None:
            return self.teacher_features(batch), self.model.teacher(noisy)
        both = self.model.teacher(torch.cat([batch.image, noisy]))
        return tuple(zip(*(layer.chunk(2) for layer in both), strict=True))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one Adam with two learning rates, which is the reference's two optimizers."""
        student = [*self.model.bottleneck.parameters(), *self.model.decoder.parameters()]
        groups = [
            {"params": student, "lr": self.learning_rate},
            {"params": self.model.projections.parameters(), "lr": self.projection_learning_rate},
        ]
        return torch.optim.Adam(groups, betas=(0.5, 0.999))
