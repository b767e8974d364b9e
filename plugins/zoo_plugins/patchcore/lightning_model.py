"""PatchCore on anomalib's implementation, with named weights and the shared post-processor.

Paper: Towards Total Recall in Industrial Anomaly Detection, arXiv 2106.08265.
Reference: amazon-science/patchcore-inspection, Apache-2.0 (its commit: card.yaml).
Differences from the reference: those of anomalib 2.7 (card.yaml lists them); from anomalib: no
download in the constructor, the statistics of the backbone's own weights instead of ImageNet's,
a coreset of 1 % instead of 10 %, and raw scores finished by the zoo.
"""

from __future__ import annotations

from collections.abc import Sequence

from anomalib.metrics import Evaluator
from anomalib.models import Patchcore
from anomalib.visualization import Visualizer
from torch import nn

from zoo.errors import ZooError
from zoo.method import ZooMethod, whole_image
from zoo.weights import create_backbone


class ZooPatchcore(ZooMethod, Patchcore):
    """PatchCore (Roth et al., CVPR 2022): nearest-neighbour distance to a coreset of patches.

    Args:
        backbone: A timm name of a convolutional network.
        weights: embedded, hub, random or the path of a checkpoint.
        layers: Modules whose feature maps are concatenated, as timm's feature_info names them, in
            any order; the first in the network sets the resolution.
        image_size: Side of the square, or (height, width), that images are resized to, in pixels.
        coreset_sampling_ratio: Share of all patches that the bank keeps, in (0, 1].
        num_neighbors: Neighbours that re-weight the image score (paper, section 3.3).
        pre_processor: True for a resize of the whole image with the backbone's statistics.
        post_processor: True for the shared one.
        evaluator: True for anomalib's, at model size.
        visualizer: True for anomalib's.

    Raises:
        ZooError: Unknown backbone or layer, or weights that do not fit.
    """

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        weights: str = "embedded",
        layers: Sequence[str] = ("blocks.2", "blocks.4"),
        image_size: int | tuple[int, int] = 256,
        coreset_sampling_ratio: float = 0.01,
        num_neighbors: int = 9,
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        indices, names = _in_network_order(backbone, layers)
        network = create_backbone(
            backbone, weights, features_only=True, exportable=True, out_indices=indices
        )
        if pre_processor is True:
            pre_processor = whole_image(image_size, backbone, weights)
        super().__init__(
            backbone=backbone,
            layers=names,
            pre_trained=False,
            coreset_sampling_ratio=coreset_sampling_ratio,
            num_neighbors=num_neighbors,
            pre_processor=pre_processor,
            post_processor=post_processor,
            evaluator=evaluator,
            visualizer=visualizer,
        )
        # anomalib's extractor can only be built with random or with hub weights.
        self.model.feature_extractor.feature_extractor = network.eval()


def _in_network_order(backbone: str, layers: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return positions and names of the layers as timm orders feature maps, whatever was asked."""
    info = create_backbone(backbone, "random", features_only=True).feature_info
    names = info.module_name()
    unknown = [layer for layer in layers if layer not in names]
    if unknown or not layers:
        raise ZooError(
            f"backbone '{backbone}' has no layer {', '.join(unknown) or '(none named)'}; "
            f"it has {', '.join(names)}"
        )
    indices = sorted({names.index(layer) for layer in layers})
    return indices, [names[index] for index in indices]
