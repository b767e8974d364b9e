"""INP-Former (arXiv 2503.02424) for whole images of any shape, with the reference's schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from anomalib.models import AnomalibModule
from torch import Tensor

from zoo.data.anomalib_internals import StableAdamW
from zoo.data.tiling.pre_processor import ScaledPreProcessor
from zoo.data.transforms import Scaled
from zoo.methods.method import whole_image
from zoo.methods.training import TrainedMethod
from zoo.utils.errors import ZooError
from zoo_plugins.inpformer.torch_model import BlurPadding, InpFormerModel

_FINAL = 0.1  # of the learning rate, where the cosine ends


class ZooInpFormer(TrainedMethod, AnomalibModule):  # type: ignore[misc]  # to_onnx of anomalib and lightning differ
    """INP-Former (Luo et al., CVPR 2025).

    Args:
        backbone: A timm name. A vision transformer with a table of positions, such as
            vit_base_patch14_reg4_dinov2.lvd142m, or a convolutional network.
        weights: embedded, hub, random or the path of a checkpoint; $NAME and ${NAME} in a path are
            taken from the environment.
        layers: Blocks of a transformer, counted from 0 (the reference's by default), or levels of a
            convolutional network as timm's feature_info names them (strides 8 and 16).
        image_size: Side of the square, or (height, width), that images are resized to, in pixels.
            Sides that are no multiples of the patch are padded inside the network.
        keep_aspect: Take `image_size` (one number) for the shorter side instead and keep the aspect
            ratio, to the nearest patch. Images of several shapes then need batches of one.
        n_prototypes: Intrinsic normal prototypes (INPs) of an image.
        n_groups: Groups of neighbouring layers that are compared.
        decoder_depth: Blocks of the decoder; one for each layer by default, as in the reference.
        biases: Biases in the perceptrons of extractor and decoder, as the reference has them.
        output_size: Side or (height, width) of the score map; the reference's is 256. By default
            that of the network's input.
        blur_padding: reflect, or zeros as the reference, which darkens a frame of 2 pixels.
        token_width: Channels of a token; convolutional backbones only.
        token_stride: Pixels of the image per token; convolutional backbones only.
        learning_rate: Of StableAdamW after the warm-up; it ends at a tenth.
        warmup_steps: Steps of the warm-up, at most half of all.
        feature_cache_mb: Most memory for the encoder's features of the training images, which are
            computed once where images are neither augmented nor tiled; 0 computes them every step.
        **parts: pre_processor (a resize of the whole image with the backbone's statistics by
            default), post_processor, evaluator and visualizer.

    Raises:
        ZooError: Unknown backbone or layers, weights that do not fit, or an option out of range.
    """

    mixed_precision = True
    model: InpFormerModel

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[int] | Sequence[str] | None = None,
        image_size: int | tuple[int, int] = 256,
        keep_aspect: bool = False,
        n_prototypes: int = 6,
        n_groups: int = 2,
        decoder_depth: int | None = None,
        biases: bool = True,
        output_size: int | tuple[int, int] | None = None,
        blur_padding: BlurPadding = "reflect",
        token_width: int = 128,
        token_stride: int = 8,
        learning_rate: float = 1e-3,
        warmup_steps: int = 100,
        feature_cache_mb: float = 1000.0,
        **parts: Any,
    ) -> None:
        model = InpFormerModel(
            backbone,
            weights,
            layers,
            n_groups,
            n_prototypes,
            decoder_depth,
            biases,
            output_size,
            blur_padding,
            token_width,
            token_stride,
        )
        if parts.setdefault("pre_processor", True) is True:
            pre_processor = whole_image(image_size, backbone, weights)
            if keep_aspect:
                pre_processor = _scaled(pre_processor, image_size, model.encoder.multiple)
            parts["pre_processor"] = pre_processor
        super().__init__(**parts)
        self.model = model
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.feature_cache_mb = feature_cache_mb

    def frozen(self, images: Tensor) -> list[Tensor]:
        """Return the encoder's maps (B, C, h, w)."""
        return self.model.encode(images)

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Compare the rebuilt maps with the encoder's."""
        loss = self.model.training_loss(list(self.frozen_features(batch)))
        self.log("train_loss", loss.detach(), prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        """Return StableAdamW, and its learning rate for every optimizer step.

        Raises:
            ZooError: The trainer has no end.
        """
        n_steps = total_steps(self.trainer)
        if not math.isfinite(n_steps):
            raise ZooError(
                "the learning rate falls until the last step, and there is none: give the trainer "
                "max_steps or max_epochs"
            )
        trained = [value for value in self.model.parameters() if value.requires_grad]
        optimizer = StableAdamW(
            trained, lr=self.learning_rate, weight_decay=1e-4, amsgrad=True, eps=1e-10
        )
        factor = learning_rate_factor(int(n_steps), self.warmup_steps)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """The reference's clipping of the gradient norm; nothing is scored before training."""
        return {"gradient_clip_val": 0.1, "num_sanity_val_steps": 0}


def _scaled(square: Any, shorter_side: int | tuple[int, int], multiple: int) -> ScaledPreProcessor:
    """Return a pre-processor that keeps the aspect ratio, with the same statistics."""
    if not isinstance(shorter_side, int):
        raise ZooError(
            f"image_size {shorter_side} with keep_aspect: give one number, the shorter side"
        )
    resize = Scaled(shorter_side=shorter_side, multiple=multiple)
    return ScaledPreProcessor(resize, square.transform.transforms[-1])


def learning_rate_factor(total_steps: int, warmup_steps: int = 100) -> Callable[[int], float]:
    """Return the factor of the peak learning rate as a function of the step, counted from 0.

    The reference's curve: `warmup_steps` values evenly spaced from 0 to 1 inclusive, then
    0.1 + 0.9 * (1 + cos(pi * i / n)) / 2 over the n steps that are left. A warm-up longer
    than half of the training, for which the reference has no curve, is shortened to that.

    Args:
        total_steps: Optimizer steps of the whole training.
        warmup_steps: Steps of the warm-up.
    """
    warmup = min(warmup_steps, total_steps // 2)
    rest = max(total_steps - warmup, 1)

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(warmup - 1, 1)
        along = min((step - warmup) / rest, 1.0)
        return _FINAL + (1 - _FINAL) * (1 + math.cos(math.pi * along)) / 2

    return factor


def total_steps(trainer: Any) -> float:
    """Return how many optimizer steps a training has; infinity if nothing ends it.

    Lightning's `estimated_stepping_batches` is not asked where that can be helped: it prepares the
    training batches before their state is restored, and a training that goes on after an
    interruption would begin its epoch anew.
    """
    if trainer.datamodule is None:
        return trainer.estimated_stepping_batches
    n_batches, limit = len(trainer.datamodule.train_dataloader()), trainer.limit_train_batches
    n_batches = min(n_batches, limit) if isinstance(limit, int) else int(n_batches * limit)
    per_epoch = math.ceil(n_batches / trainer.accumulate_grad_batches)
    limits = [trainer.max_steps] if trainer.max_steps >= 0 else []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs * per_epoch)
    return min(limits, default=math.inf)
