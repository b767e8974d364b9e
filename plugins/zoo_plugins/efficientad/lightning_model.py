"""EfficientAD (arXiv 2303.14535) without a network: a teacher from a file or made at home."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from torch import Tensor
from torchvision.transforms.v2 import Compose, Resize
from torchvision.transforms.v2 import functional as colours

from zoo.data.anomalib_internals import split_dataset
from zoo.data.splits import TRAIN
from zoo.data.transforms import SameContrast, pre_processing_of
from zoo.methods.training import TrainedMethod, progress_of
from zoo.utils.errors import ZooError
from zoo.utils.seeding import isolated_rng
from zoo_plugins.efficientad.home_made import (
    TeacherRecipe,
    home_made_teacher,
    muon,
    share_of_rate,
)
from zoo_plugins.efficientad.networks import ModelSize, load_teacher
from zoo_plugins.efficientad.sources import GENERATED, penalty_image, source_of
from zoo_plugins.efficientad.torch_model import EfficientAdNetworks

HOME_MADE, RANDOM, NO_PENALTY = "home_made", "random", "none"
_SIDE_UNIT, _LEAST_SIDE = 64, 256  # the autoencoder halves five times, then wants 8x8
_QUANTILES = (0.9, 0.995)
_JITTERS = (colours.adjust_brightness, colours.adjust_contrast, colours.adjust_saturation)


class ZooEfficientAd(TrainedMethod, AnomalibModule):  # type: ignore[misc]  # to_onnx of anomalib and lightning differ
    """EfficientAD (Batzner et al., WACV 2024).

    Args:
        model_size: small or medium.
        weights: Of the teacher: the path of a file; home_made, which distils one from the embedded
            EfficientNet-Lite0 when it is first needed and keeps it; or random, for tests.
        teacher_channels: Of the teacher's output, 384 as published.
        teacher_images: What a home-made teacher learns from: generated, or a folder of images.
        teacher_steps: How many steps a home-made teacher learns.
        penalty_images: On what the student shall not imitate the teacher: generated (textures), the
            path of a folder of images, such as ImageNet's, or none.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels:
            multiples of 64, and 256 at least.
        same_contrast: Give every image the same brightness and contrast first, where these differ
            from image to image; see `zoo.data.transforms`. No part of the published method.
        optimizer: adam as published, or muon, for trainings of a few hundred steps.
        learning_rate: Of Adam; a tenth of it for the last 5 % of the steps. Muon's, about 0.015,
            falls to zero all the way.
        weight_decay: Of Adam.
        feature_cache_mb: Most memory for the teacher's output for the training images.
        **parts: pre_processor (by default a resize of the whole image, and one contrast if that is
            asked for; the networks normalise), post_processor, evaluator and visualizer.

    Raises:
        ZooError: A teacher that is not there or of another architecture, or an unsuitable image
            size; at the beginning of a fit, a folder without images.
    """

    model: EfficientAdNetworks
    trainer: Any

    def __init__(
        self,
        model_size: ModelSize = "small",
        weights: str = HOME_MADE,
        teacher_channels: int = 384,
        teacher_images: str = "generated",
        teacher_steps: int = 500,
        penalty_images: str = "generated",
        image_size: int | tuple[int, int] = 256,
        same_contrast: bool = False,
        optimizer: Literal["adam", "muon"] = "adam",
        learning_rate: float = 1e-4,
        weight_decay: float = 1e-5,
        feature_cache_mb: float = 1000.0,
        **parts: Any,
    ) -> None:
        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if any(side % _SIDE_UNIT or side < _LEAST_SIDE for side in size):
            raise ZooError(
                f"image_size {size[0]}x{size[1]} does not suit EfficientAD: both sides must be "
                f"multiples of {_SIDE_UNIT} pixels, and {_LEAST_SIDE} at least (its autoencoder "
                "ends in a kernel of 8x8)"
            )
        if parts.setdefault("pre_processor", True) is True:
            contrast = [SameContrast()] if same_contrast else []
            transform = Compose([Resize(size, antialias=True), *contrast])
            parts["pre_processor"] = PreProcessor(transform)
        super().__init__(**parts)
        self.model = EfficientAdNetworks(model_size, teacher_channels)
        self.weights = weights
        self.teacher_recipe = TeacherRecipe(
            model_size=model_size,
            channels=teacher_channels,
            images=teacher_images,
            steps=teacher_steps,
        )
        self.penalty_images = penalty_images
        self.optimizer = optimizer
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.feature_cache_mb = feature_cache_mb
        self._quantiles_of_step = -1
        if weights not in (HOME_MADE, RANDOM):
            load_teacher(self.model.teacher, weights)

    @property
    def outside_images(self) -> str:
        """Names of the folders, besides the data set, that the fit reads; empty for none."""
        read = [self.penalty_images, *[self.teacher_recipe.images] * (self.weights == HOME_MADE)]
        return ", ".join(
            Path(source).name for source in read if source not in (GENERATED, NO_PENALTY)
        )

    def on_fit_start(self) -> None:
        """Find the penalty images, and see that there is a teacher, before the first step."""
        none = self.penalty_images == NO_PENALTY
        self._penalty = None if none else source_of(self.penalty_images)
        if self.weights == HOME_MADE:
            device = self.trainer.strategy.root_device
            state = home_made_teacher(self.teacher_recipe, progress_of(self.trainer), device)
            self.model.teacher.load_state_dict(state)

    @torch.no_grad()
    def on_train_start(self) -> None:
        """Take mean and deviation of the teacher's channels over the training images."""
        super().on_train_start()
        dataset, report = split_dataset(self.trainer.datamodule, TRAIN), progress_of(self.trainer)
        total = squares = torch.zeros((), dtype=torch.float64, device=self.device)
        count = 0
        for index in range(len(dataset)):
            with isolated_rng(index):  # augmented images are as good as any
                item = dataset[index]
            if self._cached is not None:
                [described] = self._cached([item.image_path], self.device)
            else:
                [described] = self.frozen(self._prepared(item.image[None]))
            # In double precision the sum of squares loses nothing that matters.
            total = total + described.double().sum(dim=(0, 2, 3))
            squares = squares + described.double().square().sum(dim=(0, 2, 3))
            count += described[:, 0].numel()
            report(f"statistics of the teacher {index + 1}/{len(dataset)}")
        mean = total / count
        std = (squares / count - mean**2).clamp_min(1e-12).sqrt()
        self.model.teacher_mean.copy_(mean.reshape(1, -1, 1, 1))
        self.model.teacher_std.copy_(std.reshape(1, -1, 1, 1))

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Add up the terms of the loss."""
        plain, penalty = batch.image, None
        described = None if self._cached is None else self.frozen_features(batch)[0]
        if self._penalty is not None:
            images = [penalty_image(self._penalty, plain.shape[-2:]) for _ in plain]
            penalty = torch.stack(images).to(plain)
        losses = self.model.losses(plain, jittered(plain), penalty, described)
        loss = sum(losses.values(), torch.zeros((), device=self.device))
        self.log_dict({f"train_{name}": value.detach() for name, value in losses.items()})
        self.log("train_loss", loss.detach(), prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        """Return Adam for student and autoencoder, with the one drop of its rate; or Muon."""
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise ZooError("EfficientAD needs an end: give the trainer max_steps or max_epochs")
        trained = [*self.model.student.parameters(), *self.model.autoencoder.parameters()]
        rate, schedules = self.learning_rate, torch.optim.lr_scheduler
        optimizer: torch.optim.Optimizer
        scheduler: Any
        if self.optimizer == "muon":
            optimizer = muon(trained, rate)
            scheduler = schedules.LambdaLR(optimizer, partial(share_of_rate, steps=steps))
        else:
            optimizer = torch.optim.Adam(trained, lr=rate, weight_decay=self.weight_decay)
            scheduler = schedules.StepLR(optimizer, max(1, int(0.95 * steps)), 0.1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_validation_start(self) -> None:
        """Scale the maps before anybody measures them."""
        self._set_quantiles()

    def on_fit_end(self) -> None:
        """Scale the maps by the final weights."""
        self._set_quantiles()

    @torch.no_grad()
    def _set_quantiles(self) -> None:
        """Take the quantiles of the raw maps of normal validation images, at the maps' own size."""
        if self._quantiles_of_step == self.global_step:
            return
        training, _ = self.model.training, self.model.eval()
        maps = []
        for batch in self.trainer.datamodule.val_dataloader():
            labels = [0] * len(batch.image) if batch.gt_label is None else batch.gt_label.tolist()
            normal = [index for index, label in enumerate(labels) if not label]
            if normal:
                maps.append(self.model.raw_maps(self._prepared(batch.image[normal])).cpu().numpy())
        self.model.train(training)
        if not maps:
            raise ZooError("EfficientAD scales its maps by normal validation images: there is none")
        values = np.concatenate(maps).swapaxes(0, 1).reshape(2, -1)
        quantiles = np.quantile(values, _QUANTILES, axis=1).T  # (2 maps, lower and upper)
        self.model.quantiles.copy_(torch.from_numpy(quantiles))
        self._quantiles_of_step = self.global_step

    def frozen(self, images: Tensor) -> list[Tensor]:
        """Return the teacher's description, (B, C, H/4-8, W/4-8)."""
        return [self.model.describe(images)]

    def _prepared(self, images: Tensor) -> Tensor:
        images = images.to(self.device)
        transform = pre_processing_of(self.pre_processor).transform
        return transform(images) if transform else images


def jittered(images: Tensor) -> Tensor:
    """Return a copy whose brightness, contrast or saturation is changed by up to 20 %.

    Draws two numbers per image from torch's global generator.

    Args:
        images: (B, 3, H, W) in [0, 1].
    """
    copies = []
    for image in images:
        which, strength = torch.rand(2).tolist()
        copies.append(_JITTERS[int(3 * which)](image, 0.8 + 0.4 * strength))
    return torch.stack(copies)
