"""Reverse Distillation (arXiv 2201.10703) for any convolutional teacher, trained as published."""

from __future__ import annotations

from typing import Any

import torch
from anomalib.models import AnomalibModule
from torch import Tensor

from zoo_plugins._distillation.lightning_model import Distillation
from zoo_plugins._distillation.torch_model import distillation_loss


class ZooReverseDistillation(Distillation, AnomalibModule):  # type: ignore[misc]  # to_onnx of anomalib and lightning differ
    """Reverse Distillation (Deng and Li, CVPR 2022); its arguments are those of `Distillation`."""

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Compare the student's maps with the teacher's."""
        features = self.frozen_features(batch)
        loss = distillation_loss(features, self.model.student(features))
        self.log("train_loss", loss.detach(), prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam for bottleneck and decoder."""
        parameters = self.student_parameters()
        return torch.optim.Adam(parameters, lr=self.learning_rate, betas=(0.5, 0.999))
