"""What the lightning modules of the family share: constructor, teacher's features, size check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.methods.method import whole_image
from zoo.methods.training import TrainedMethod
from zoo_plugins._distillation.torch_model import ReverseDistillationModel


class Distillation(TrainedMethod):
    """Base of anomalib modules whose `model` is a `ReverseDistillationModel`.

    Args:
        backbone: A timm name of a convolutional network: the teacher.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: The teacher's layers that are rebuilt, as timm's feature_info names them.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels:
            multiples of twice the coarsest layer's stride.
        decoder_depths: Residual blocks of the decoder per layer, coarsest first.
        learning_rate: Of Adam for bottleneck and decoder, with the published betas (0.5, 0.999).
        feature_cache_mb: Most memory for the teacher's features of the training images; 0 computes
            them in every step.
        **parts: pre_processor (a resize of the whole image with the backbone's statistics by
            default), post_processor, evaluator and visualizer.

    Raises:
        ZooError: Unknown backbone or layer, weights that do not fit, or an unsuitable image size.
    """

    mixed_precision = True
    network: ClassVar[type[ReverseDistillationModel]] = ReverseDistillationModel
    model: ReverseDistillationModel

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[str] = ("blocks.1", "blocks.2", "blocks.4"),
        image_size: int | tuple[int, int] = 256,
        decoder_depths: Sequence[int] = (3, 4, 6),
        learning_rate: float = 0.005,
        feature_cache_mb: float = 1000.0,
        **parts: Any,
    ) -> None:
        if parts.setdefault("pre_processor", True) is True:
            parts["pre_processor"] = whole_image(image_size, backbone, weights)
        super().__init__(**parts)
        self.model = self.network(backbone, weights, layers, decoder_depths)
        self.learning_rate = learning_rate
        self.feature_cache_mb = feature_cache_mb
        if self.input_size is not None:
            self.model.check_image_size(self.input_size)

    def frozen(self, images: Tensor) -> Sequence[Tensor]:
        """Return the teacher's maps (B, C_k, h_k, w_k)."""
        return self.model.teacher(images)

    def student_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of bottleneck and decoder."""
        return [*self.model.bottleneck.parameters(), *self.model.decoder.parameters()]
