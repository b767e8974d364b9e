"""The contract of a pre-processor: what the zoo asks of one beyond anomalib's own hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anomalib.pre_processing import PreProcessor
from torch import nn

if TYPE_CHECKING:
    from zoo.data.tiling.grid import Layout


class ZooPreProcessor(PreProcessor):
    """Base class of pre-processors that say more than anomalib's.

    Anomalib's `transform` is what happens to an image, and datamodules resize while they read if it
    begins with a resize; its `export_transform` is the same as an exported graph does it. A
    transform that anomalib cannot save needs both checkpoint hooks of `ScaledPreProcessor`.

    Attributes:
        layout: How images are cut into tiles, of which runs make the training items; None leaves
            them whole.
        map_reduction: By what runs divide the native size for score maps; 1 leaves maps as they
            are.
    """

    layout: Layout | None = None
    map_reduction: int = 1

    @property
    def tiling(self) -> dict[str, Any] | None:
        """What an exported graph of single tiles carries along, as plain data; None by default."""
        return None


def pre_processing_of(pre_processor: nn.Module | None) -> ZooPreProcessor:
    """Return where to ask for the hooks above: the pre-processor itself, or for others defaults."""
    if isinstance(pre_processor, ZooPreProcessor):
        return pre_processor
    own = pre_processor.transform if isinstance(pre_processor, PreProcessor) else None
    return ZooPreProcessor(own)
