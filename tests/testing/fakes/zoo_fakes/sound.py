"""A method that keeps the contract: the distance to the mean of the training images."""

import torch
from anomalib import LearningType
from anomalib.data import InferenceBatch
from anomalib.models import AnomalibModule
from torch import nn

from zoo.methods.method import ZooMethod, whole_image


class FakeModel(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(3, size, size))

    def learn(self, images):
        self.count += len(images)
        self.mean += (images - self.mean).sum(0) / self.count

    def forward(self, images):
        score_map = (images - self.mean).abs().mean(1, keepdim=True)
        return InferenceBatch(anomaly_map=score_map, pred_score=score_map.amax((1, 2, 3)))


class FakeMean(ZooMethod, AnomalibModule):
    model_class = FakeModel

    def __init__(
        self,
        image_size: int = 32,
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: nn.Module | bool = True,
        visualizer: object | bool = True,
    ):
        if pre_processor is True:
            pre_processor = whole_image(image_size, "tf_efficientnet_lite0", "embedded")
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        self.model = self.model_class(image_size)

    def training_step(self, batch, *args):
        self.model.learn(batch.image)

    def validation_step(self, batch, *args):
        return batch.update(**self.model(batch.image)._asdict())

    def configure_optimizers(self):
        return None

    @property
    def trainer_arguments(self):
        return {"max_epochs": 1, "num_sanity_val_steps": 0}

    @property
    def learning_type(self):
        return LearningType.ONE_CLASS
