"""RD++ (Tien et al., CVPR 2023) as its released code behaves, for any convolutional teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from anomalib.models import AnomalibModule
from torch import Tensor
from torchvision.transforms.v2 import Normalize

from zoo.data.anomalib_internals import extract_transforms_by_type
from zoo.data.transforms import pre_processing_of
from zoo_plugins._distillation.lightning_model import Distillation
from zoo_plugins._distillation.torch_model import distillation_loss
from zoo_plugins.rdpp.noise import NoiseBlocks
from zoo_plugins.rdpp.torch_model import ProjectedDistillationModel, projection_losses

_PROJECTION_WEIGHT = 0.2


class ReverseDistillationPlusPlus(Distillation, AnomalibModule):  # type: ignore[misc]  # to_onnx of anomalib and lightning differ
    """RD++ (Tien et al., CVPR 2023).

    Args:
        projection_learning_rate: Of the student's Adam for the projections.
        accumulate_batches: Batches whose gradients are added up, not averaged, for one step.
        **options: Those of `Distillation`.
    """

    network = ProjectedDistillationModel
    model: ProjectedDistillationModel
    noise_seed: Tensor

    def __init__(
        self,
        *,
        projection_learning_rate: float = 0.001,
        accumulate_batches: int = 2,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.automatic_optimization = False  # steps are a matter of several batches
        self.projection_learning_rate = projection_learning_rate
        self.accumulate_batches = accumulate_batches
        # In the checkpoint: a training that is gone on with needs the same pattern.
        self.register_buffer("noise_seed", torch.randint(2**31, ()))

    def on_train_start(self) -> None:
        """Prepare the noise."""
        super().on_train_start()
        transform = pre_processing_of(self.pre_processor).transform
        normalizes = extract_transforms_by_type(transform, Normalize) if transform else []
        std = torch.tensor(normalizes[0].std if normalizes else [1.0, 1.0, 1.0])
        self.noise_blocks = NoiseBlocks(int(self.noise_seed), std)

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Take one batch, and every second time an optimizer step."""
        losses = self.losses(batch)
        loss = losses["distillation"] + _PROJECTION_WEIGHT * losses["projection"]
        self.manual_backward(loss)
        # What an odd last batch leaves is added to the next epoch, as published; but an epoch of
        # one batch would never come to a step.
        if (batch_idx + 1) % min(self.accumulate_batches, self.trainer.num_training_batches) == 0:
            optimizer: Any = self.optimizers()
            optimizer.step()
            optimizer.zero_grad()
        logged = {f"train_{name}": value.detach() for name, value in losses.items()}
        self.log_dict({**logged, "train_loss": loss.detach()}, prog_bar=False)
        return {"loss": loss.detach()}

    def losses(self, batch: Any) -> dict[str, Tensor]:
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

    def _teacher_features(self, batch: Any) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the teacher's maps of a batch as it is, and with noise."""
        noisy = self.noise_blocks(batch.image)
        if self._cached is not None:
            return self.frozen_features(batch), self.model.teacher(noisy)
        both = self.model.teacher(torch.cat([batch.image, noisy]))
        plain, with_noise = zip(*(layer.chunk(2) for layer in both), strict=True)
        return plain, with_noise

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one Adam with two learning rates, which is the reference's two optimizers."""
        groups = [
            {"params": self.student_parameters(), "lr": self.learning_rate},
            {"params": self.model.projections.parameters(), "lr": self.projection_learning_rate},
        ]
        return torch.optim.Adam(groups, betas=(0.5, 0.999))
