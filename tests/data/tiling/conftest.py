"""A method that says of each pixel how bright it is, so that tiles can be seen in its maps."""

from __future__ import annotations

import pytest
import torch
from anomalib import LearningType
from anomalib.data import InferenceBatch
from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from torch import nn
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.methods.method import ZooMethod


class Brightness(nn.Module):
    """Score map = mean of the channels, shrunk by an average pool."""

    def __init__(self, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.seen: list[tuple[int, ...]] = []
        self.register_buffer("sum", torch.zeros(()))

    def forward(self, images: torch.Tensor) -> InferenceBatch:
        if not torch.compiler.is_exporting():
            self.seen.append(tuple(images.shape))
        score_map = nn.functional.avg_pool2d(images.mean(1, keepdim=True), self.pool)
        return InferenceBatch(anomaly_map=score_map, pred_score=score_map.amax((1, 2, 3)))


class BrightnessMethod(ZooMethod, AnomalibModule):
    """The identity, as far as a method can be one."""

    learning_type = LearningType.ONE_CLASS
    trainer_arguments = {"max_epochs": 1, "num_sanity_val_steps": 0}  # noqa: RUF012
    validation_step = AnomalibModule.test_step

    def __init__(self, pool: int = 1, side: int | None = None, **parts) -> None:
        if parts.setdefault("pre_processor", True) is True:
            resize = [] if side is None else [Resize((side, side), antialias=True)]
            transform = Compose([*resize, Normalize([0.0] * 3, [1.0] * 3)])
            parts["pre_processor"] = PreProcessor(transform)
        super().__init__(**parts)
        self.model = Brightness(pool)
        self.trained: list[tuple[int, ...]] = []

    def configure_optimizers(self) -> None: ...

    def training_step(self, batch, *args) -> torch.Tensor:
        self.trained.append(tuple(batch.image.shape))
        self.model.sum += batch.image.sum()
        return torch.zeros((), requires_grad=True)


@pytest.fixture(scope="session")
def brightness():
    return BrightnessMethod
