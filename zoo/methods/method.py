"""The contract of a method on one page: what it must give, and the hooks that it may override.

`AnomalibModule` asks for `model`, a torch module that maps normalised images (B, 3, H, W) to an
`InferenceBatch` of raw scores: `anomaly_map` (B, 1, H, W) float32, larger where an image is more
anomalous, neither clamped nor scaled, and `pred_score` (B,). A method adds a `training_step`. All
else has a default below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from anomalib import LearningType
from anomalib.data import Batch
from anomalib.models import AnomalibModule
from anomalib.models.components import MemoryBankMixin
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.data.datamodule import NativeDataModule
from zoo.methods.evaluator import RawEvaluator
from zoo.methods.post_processor import BlobPostProcessor
from zoo.methods.visualizer import RawVisualizer
from zoo.methods.weights import normalization
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import score_batch
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    _Base = AnomalibModule
else:
    _Base = object  # a mixin: anomalib finds methods by `AnomalibModule` among their own bases


class ZooMethod(_Base):
    """Base class of methods; put it before `AnomalibModule` in the list of bases.

    The constructor hands `**parts` (pre_processor, post_processor, evaluator, visualizer) on, so
    that a recipe can replace each of them, and downloads nothing. (`parts.get` would hide the type
    of what it gets from the parser of recipes: `setdefault` does not.) What was learnt is kept in
    parameters and buffers that the constructor makes. `TrainedMethod` (zoo/methods/training.py) has
    the defaults of methods that learn by gradient descent.

    Example:
        >>> class MyMethod(ZooMethod, AnomalibModule):
        ...     def __init__(self, image_size: int = 256, **parts: Any) -> None:
        ...         if parts.setdefault("pre_processor", True) is True:
        ...             parts["pre_processor"] = whole_image(image_size, "resnet18", "random")
        ...         super().__init__(**parts)
    """

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """How long it learns, as lightning's trainer takes it: one pass over the images."""
        return {"max_epochs": 1, "num_sanity_val_steps": 0, "gradient_clip_val": 0, "devices": 1}

    @property
    def learning_type(self) -> LearningType:
        """What it learns from: normal images."""
        return LearningType.ONE_CLASS

    def configure_optimizers(self) -> Any:
        """Return lightning's optimizers; by default nothing is optimised."""

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Any:
        """Score a batch; anomalib's own commands derive the calibration from the normal images."""
        return self.test_step(batch, *args or (0,))

    @property
    def is_fitted(self) -> bool:
        """Whether it can score; a memory bank is empty until the end of the epoch."""
        return not isinstance(self, MemoryBankMixin) or bool(self._is_fitted)

    @property
    def mixed_precision(self) -> bool:
        """Whether runs train it in bfloat16 autocast where a GPU is good at that."""
        return False

    @property
    def transductive(self) -> bool | str:
        """Whether the scores of a test image depend on other test images; or how, in words.

        VAND 4.0 does not admit that. Such a method gets each split by `see_split` first.
        """
        return False

    def see_split(self, batches: Iterable[Batch]) -> None:
        """Look at all images of a split, as a datamodule gives them, before they are scored."""

    @property
    def outside_images(self) -> str:
        """Names of the folders, besides the data set, whose images the fit reads."""
        return ""

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
        """Return anomalib's images, with raw score maps scaled for the eye."""
        return RawVisualizer()


class _Stock(ZooMethod):
    """The defaults, for a model of anomalib's own."""

    def __init__(self, model: AnomalibModule) -> None:
        self._stock = model

    @property
    def is_fitted(self) -> bool:
        return not isinstance(self._stock, MemoryBankMixin) or bool(self._stock._is_fitted)


def hooks_of(model: AnomalibModule) -> ZooMethod:
    """Return where to ask for the hooks above: the model itself, or defaults for a stock one."""
    return model if isinstance(model, ZooMethod) else _Stock(model)


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


def score_split(
    model: AnomalibModule, datamodule: NativeDataModule, split: str
) -> Iterator[Scored]:
    """Yield the raw score map of every image of a split, in sorted order."""
    model.eval()
    hooks = hooks_of(model)
    if hooks.transductive:
        hooks.see_split(datamodule.dataloader(split))
    for batch in datamodule.dataloader(split):
        yield from score_batch(model, batch)
