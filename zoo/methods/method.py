"""What every method of the zoo shares: the post-processor, and pictures that scale raw maps."""

from __future__ import annotations

from typing import Any

from anomalib import LearningType
from anomalib.data import Batch
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.methods.evaluator import RawEvaluator
from zoo.methods.post_processor import BlobPostProcessor
from zoo.methods.visualizer import RawVisualizer
from zoo.methods.weights import normalization
from zoo.utils.errors import ZooError


class ZooMethod:
    """Mixin for anomalib modules; put it before the module in the list of bases.

    Example:
        >>> class MyMethod(ZooMethod, AnomalibModule): ...  # doctest: +SKIP
    """

    @staticmethod
    def configure_post_processor() -> BlobPostProcessor:
        """Return the shared post-processor; a recipe may give another rule."""
        return BlobPostProcessor()

    @staticmethod
    def configure_evaluator() -> RawEvaluator:
        """Return metrics at model size for anomalib's own `test`."""
        return RawEvaluator()

    @classmethod
    def configure_visualizer(cls) -> RawVisualizer:
        """Return anomalib's pictures, with raw score maps scaled for the eye."""
        return RawVisualizer()


class TrainedMethod(ZooMethod):
    """Mixin for methods that learn by steps and whose `model` scores a batch of images."""

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Batch:
        """Score a batch."""
        return batch.update(**self.model(batch.image)._asdict())

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """Neither clipping of gradients nor a validation before the first step."""
        return {"gradient_clip_val": 0, "num_sanity_val_steps": 0}

    @property
    def learning_type(self) -> LearningType:
        """Learns from normal images alone."""
        return LearningType.ONE_CLASS


def whole_image(
    image_size: int | tuple[int, int], backbone: str, weights: str, keep_aspect: bool = False
) -> PreProcessor:
    """Resize the whole image, nothing cropped, and normalise as the backbone's weights want it.

    Args:
        image_size: Side of a square, or (height, width), in pixels.
        backbone: A timm name.
        weights: The named weights, see `zoo.methods.weights`.
        keep_aspect: Keep the aspect ratio; `image_size` is then the shorter side.

    Raises:
        ZooError: Two sides and `keep_aspect`.
    """
    sides = (image_size,) if isinstance(image_size, int) else tuple(image_size)
    if keep_aspect and len(sides) > 1:
        raise ZooError(f"keep_aspect needs one number as image_size, the shorter side, not {sides}")
    size = sides if keep_aspect or len(sides) > 1 else sides * 2
    mean, std = normalization(backbone, weights)
    return PreProcessor(Compose([Resize(size, antialias=True), Normalize(list(mean), list(std))]))
