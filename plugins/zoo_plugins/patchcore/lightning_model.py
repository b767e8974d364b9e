"""PatchCore (arXiv 2106.08265) as an anomalib model: one or several backbones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from anomalib.models.components import AnomalibModule, MemoryBankMixin
from torch import Tensor, nn

from zoo.data.dataset import NativeBatch, native_sizes
from zoo.methods.memory_bank.embedding import PatchEmbedding, PooledConcatenation
from zoo.methods.method import ZooMethod, whole_image
from zoo.methods.training import progress_of
from zoo.methods.weights import FrozenBackbone, normalization
from zoo.utils.errors import ZooError
from zoo_plugins.patchcore.ensemble import PatchcoreEnsemble
from zoo_plugins.patchcore.member import Member
from zoo_plugins.patchcore.torch_model import BankSettings, PatchcoreModel


class ZooPatchcore(ZooMethod, MemoryBankMixin, AnomalibModule):  # type: ignore[misc]  # to_onnx of anomalib and lightning differ
    """PatchCore (Roth et al., CVPR 2022): nearest-neighbour distance to a coreset of patches.

    Args:
        backbone: A timm name of a convolutional network.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: Modules whose feature maps are joined, as timm's feature_info names them, in any
            order; the first in the network sets the resolution.
        members: Several backbones, each with its layers, instead of `backbone` and `layers`, with
            the same weights and settings; their maps are averaged on one scale, that of normal
            validation images.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels.
        keep_aspect: Keep the aspect ratio; `image_size` is then the shorter side. Images of several
            shapes need batch sizes of 1.
        coreset_sampling_ratio: Share of all patches that the bank keeps, in (0, 1].
        bank_size: Number of patches that the bank keeps, instead of a share.
        bank_budget_mb: Most memory for features of training images, of each backbone, in MB;
            beyond it they are sampled at random.
        bank_dtype: Precision of features that are kept; sums are float32 in any case.
        embedding_dim: Width of the reference's embedding, 1024 in its own settings; None joins the
            pooled features of all layers, as anomalib does.
        unit_length: Bring the pooled features of each patch and layer to length 1 before they are
            joined: only their direction counts, and no layer outweighs another.
        pretrain_dim: Width that the reference's embedding brings each layer to first.
        patch_size: Side of the square of places that a patch is pooled from; odd.
        num_neighbors: A patch's score is the mean of its distances to so many nearest entries of
            the bank, as in the reference.
        weight_neighbors: Neighbours that re-weight the image score (paper, equation 7; anomalib's
            num_neighbors, 9); 1 takes the largest patch score, as the reference does.
        squared: Squared distances, as the reference has them.
        sigma: Standard deviation of the Gaussian that smooths maps, in pixels of the input.
        **parts: pre_processor (a resize of the whole image with the backbone's statistics by
            default), post_processor, evaluator and visualizer.

    Raises:
        ZooError: Unknown backbone or layer, weights that do not fit, or numbers out of range.
    """

    model: PatchcoreEnsemble

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[str] = ("blocks.2", "blocks.4"),
        members: list[Member] | None = None,
        image_size: int | tuple[int, int] = 256,
        keep_aspect: bool = False,
        coreset_sampling_ratio: float = 0.01,
        bank_size: int | None = None,
        bank_budget_mb: float = 2000,
        bank_dtype: Literal["float32", "float16", "bfloat16"] = "float32",
        embedding_dim: int | None = None,
        pretrain_dim: int = 1024,
        unit_length: bool = False,
        patch_size: int = 3,
        num_neighbors: int = 1,
        weight_neighbors: int = 1,
        squared: bool = False,
        sigma: float = 4.0,
        **parts: Any,
    ) -> None:
        members = members or [Member(backbone=backbone, layers=list(layers))]
        if parts.setdefault("pre_processor", True) is True:
            _check_statistics(members, weights)
            backbone = members[0]["backbone"]
            parts["pre_processor"] = whole_image(image_size, backbone, weights, keep_aspect)
        super().__init__(**parts)
        bank = BankSettings(
            coreset_sampling_ratio, bank_size, bank_budget_mb, getattr(torch, bank_dtype)
        )
        networks = [FrozenBackbone(m["backbone"], weights, m["layers"]) for m in members]
        models = []
        for network in networks:
            widths = network.channels, embedding_dim, pretrain_dim
            embedding = _embedding(*widths, unit_length, patch_size)
            models.append(
                PatchcoreModel(
                    network, bank, embedding, num_neighbors, squared, sigma, weight_neighbors
                )
            )
        self.model = PatchcoreEnsemble(models)

    def training_step(self, batch: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Collect the patches of a batch; there is no loss."""
        self.model.collect(batch.image)
        return torch.tensor(0.0, requires_grad=True, device=self.device)

    def fit(self) -> None:
        """Draw the memory banks from the patches of all training images."""
        for text in self.model.fit_bank(progress_of(self._trainer)):
            print(f"memory bank: {text}")

    def on_validation_start(self) -> None:
        """Fit, and measure the members' scales on the normal validation images."""
        super().on_validation_start()
        if self.model.needs_scales:
            self.model.measure_scales(self._normal_images())

    def _normal_images(self) -> Iterator[Tensor]:
        """Yield the normal validation images, prepared for the network."""
        loaders: Any = self.trainer.val_dataloaders
        for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
            for batch in loader:
                images, sizes = batch.image, native_sizes(batch)
                if batch.gt_label is not None:
                    normal = (~batch.gt_label.bool()).nonzero().flatten().tolist()
                    images, sizes = images[normal], [sizes[index] for index in normal]
                if not len(images):
                    continue
                # Chosen before the pre-processor, which may make several tiles of an image.
                part = NativeBatch(image=images.to(self.device), native_size=sizes)
                hooks: Any = self.pre_processor
                if hooks is not None:
                    hooks.on_validation_batch_start(None, self, part, 0)
                assert part.image is not None
                yield part.image


def _embedding(
    channels: Sequence[int],
    embedding_dim: int | None,
    pretrain_dim: int,
    unit_length: bool,
    patch_size: int,
) -> nn.Module:
    if embedding_dim is None:
        return PooledConcatenation(unit_length, patch_size)
    if unit_length:
        raise ZooError("unit_length belongs to joined features: leave out embedding_dim")
    return PatchEmbedding(channels, pretrain_dim, embedding_dim, patch_size)


def _check_statistics(members: Sequence[Member], weights: str) -> None:
    """Raise unless all backbones want images normalised in the same way."""
    statistics = {normalization(member["backbone"], weights) for member in members}
    if len(statistics) > 1:
        names = ", ".join(member["backbone"] for member in members)
        raise ZooError(
            f"backbones {names} were trained on differently normalised images: choose others, or "
            "give the model a pre_processor"
        )
