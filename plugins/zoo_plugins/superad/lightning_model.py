"""SuperAD's wiring: aspect ratio kept, tiles if wanted, banks drawn when the images were seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from torch import Tensor
from torchvision.transforms.v2 import Normalize

from zoo.data.tiling.grid import Layout
from zoo.data.tiling.pre_processor import ScaledPreProcessor, TilingPreProcessor
from zoo.data.transforms import Scaled
from zoo.methods.method import ZooMethod
from zoo.methods.weights import normalization
from zoo.utils.errors import ZooError
from zoo_plugins.superad.tokens import TokenBackbone
from zoo_plugins.superad.torch_model import BankSettings, Distance, SuperADModel


class ZooSuperAD(ZooMethod, AnomalibModule):
    """SuperAD: nearest tokens of a frozen network, one bank per layer, admissible under VAND 4.0.

    Args:
        backbone: A timm name of a vision transformer or a CNN.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: Layers with a bank each: blocks.0, blocks.1, ... of a transformer, what timm's
            feature_info lists of a CNN.
        final_norm: Transformers: final LayerNorm on all layers (SuperAD yes, SuperADD no).
        shorter_side: Pixels of the shorter side that images are scaled to.
        scale: Factor that images are scaled by, instead of `shorter_side`.
        bicubic: Scale by bicubic instead of bilinear interpolation.
        tile: Side in pixels of the tiles that scaled images are cut into; None leaves them whole.
        overlap: Least overlap of neighbouring tiles in pixels; half of it belongs to each.
        map_reduction: Score maps have the native size divided by this; 1 leaves them as they are.
        distance: cosine or euclidean, see `BankSettings`.
        bank_size: Most tokens per bank.
        bank_budget_mb: Most memory for tokens while banks are filled, in MB.
        half_precision: Keep tokens in float16.
        pooling: Side of the square of tokens that are averaged first; CNNs want 3.
        score_top_share: Share of the largest map values whose mean is the image score.
        reference_images: Fill the banks from so many images, chosen by class tokens; 0 takes all.
        rotations: Turned views of every image that fill the banks.
        sigma: Of the Gaussian that smooths maps, in pixels at the network's scale.
        **parts: pre_processor (what the arguments above say by default), post_processor, evaluator
            and visualizer.

    Raises:
        ZooError: Unknown backbone or layer, weights that do not fit, or numbers out of range.
    """

    model: SuperADModel
    _is_fitted: Tensor

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[str] = ("blocks.2", "blocks.4"),
        final_norm: bool = False,
        shorter_side: int | None = None,
        scale: float | None = None,
        bicubic: bool = False,
        tile: int | None = None,
        overlap: int = 0,
        map_reduction: int = 1,
        distance: Distance = "cosine",
        bank_size: int = 20_000,
        bank_budget_mb: float = 1000,
        half_precision: bool = False,
        pooling: int = 1,
        score_top_share: float = 0.01,
        reference_images: int = 0,
        rotations: int = 1,
        sigma: float = 0.0,
        **parts: Any,
    ) -> None:
        if reference_images and tile is not None:
            raise ZooError(
                "reference_images are chosen among whole images: leave tile out, or take all images"
            )
        network = TokenBackbone(backbone, weights, layers, final_norm)
        if parts.setdefault("pre_processor", True) is True:
            if shorter_side is None and scale is None:
                shorter_side = 20 * network.stride
            resize = Scaled(scale, shorter_side, network.stride, bicubic)
            mean, std = normalization(backbone, weights)
            normalize = Normalize(list(mean), list(std))
            parts["pre_processor"] = _pre_processor(resize, normalize, tile, overlap, map_reduction)
        super().__init__(**parts)
        self.model = SuperADModel(
            network,
            BankSettings(bank_size, bank_budget_mb, distance, half_precision),
            pooling,
            score_top_share,
            reference_images,
            rotations,
            sigma,
        )
        self.register_buffer("_is_fitted", torch.tensor([False]))

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """One pass over the images; a second one where references are chosen first."""
        passes = 2 if self.model.reference_images else 1
        own = {"max_epochs": passes, "check_val_every_n_epoch": passes}
        return {**super().trainer_arguments, **own}

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Look at a batch of normal images."""
        n_images = len(batch.image)
        self.model.learn(batch.image, batch.image_path or [""] * n_images)
        return torch.zeros((), requires_grad=True, device=self.device)  # lightning wants a loss

    def on_validation_start(self) -> None:
        """Draw the banks: validation comes before the end of an epoch."""
        self._end_pass()

    def on_train_epoch_end(self) -> None:
        """Draw the banks, or choose the references for the second pass."""
        self._end_pass()

    def on_fit_start(self) -> None:
        """Begin anew: a second fit learns from its own images."""
        self._is_fitted.fill_(False)

    def to_onnx(  # type: ignore[override]  # anomalib's signature, not lightning's
        self, export_root: Path | str, *args: Any, input_size: Any = None, **kwargs: Any
    ) -> Path:
        """Export with a position table of the very input size; see `ExportMixin.to_onnx`."""
        names = ("model_file_name", "input_size")
        given = {"input_size": input_size, **dict(zip(names, args, strict=False))}
        backbone = self.model.backbone
        if given["input_size"] is None and backbone.is_transformer:
            raise ZooError("a transformer is exported for one size of image: name the input_size")
        if given["input_size"] is not None:
            self.model.backbone = backbone.for_size(tuple(given["input_size"]))
        try:
            return super().to_onnx(export_root, **given, **kwargs)
        finally:
            self.model.backbone = backbone

    @property
    def is_fitted(self) -> bool:
        """Whether the banks are drawn."""
        return bool(self._is_fitted)

    def _end_pass(self) -> None:
        if not self._is_fitted and self.model.end_pass():
            self._is_fitted.fill_(True)


def _pre_processor(
    resize: Scaled, normalize: Normalize, tile: int | None, overlap: int, map_reduction: int
) -> PreProcessor:
    if tile is None:
        return ScaledPreProcessor(resize, normalize, map_reduction=map_reduction)
    layout = Layout(tile, overlap, multiple=resize.multiple)
    return TilingPreProcessor(resize, layout, normalize, seams="hard", map_reduction=map_reduction)
