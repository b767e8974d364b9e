"""A graph has one input size: pictures that have several there go through it in square tiles.

Stretched to one size, PatchCore and SuperAD lost a third of their SegF1 on photographs of many
sizes (docs/exporting.md), far more than in any precision: a graph of whole pictures refuses those
that have another size to the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from anomalib.models import AnomalibModule
from torchvision.transforms.v2 import Resize

from zoo.data.tiling.grid import Layout
from zoo.data.transforms import Scaled, leading_resize, size_at
from zoo.predict.metadata import ExportMetadata
from zoo.utils.errors import ZooError

_OVERLAP = 4  # neighbours share at least about a fourth of a tile


def input_sizes(
    model: AnomalibModule, native_sizes: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Return the sizes (h, w) that a model resizes pictures to by their aspect; none if fixed."""
    resize = _keeping_aspect(model)
    return set() if resize is None else {size_at(each, resize) for each in native_sizes}


def in_tiles(metadata: ExportMetadata, model: AnomalibModule) -> ExportMetadata:
    """Return what a graph carries along that sees pictures in tiles, where the run sees them whole.

    Args:
        metadata: Of the graph, whose input is square.
        model: What the graph was made from; it keeps the aspect of pictures.

    Raises:
        ZooError: The model's resize bounds the longer side, so that pictures have no common scale.
    """
    resize, (side, _) = _keeping_aspect(model), metadata.resize.size
    if isinstance(resize, Scaled):
        scale = resize.to_dict()
    elif resize.max_size is not None:
        raise ZooError(
            f"the model resizes pictures to at most {resize.max_size} px, so that no tile suits "
            "all: give --good pictures of one shape"
        )
    else:
        bicubic = metadata.resize.interpolation == "bicubic"
        scale = Scaled(shorter_side=side, bicubic=bicubic).to_dict()
    unit = scale["multiple"]
    layout = Layout(side, side // _OVERLAP // unit * unit, multiple=unit)
    tiling = {"resize": scale, "layout": layout.to_dict(), "seams": "blend"}
    return replace(metadata, resize=None, tiling=tiling, is_cut=True)


def fixed_size(resize: Resize) -> tuple[int, int] | None:
    """Return (h, w) of a resize to a fixed size; None for one that keeps the aspect."""
    keeps_aspect = isinstance(resize, Scaled) or len(resize.size) != 2
    return None if keeps_aspect else tuple(resize.size)


def _keeping_aspect(model: AnomalibModule) -> Resize | None:
    """Return the resize of whole pictures that keeps their aspect, if a model begins with one."""
    if getattr(model.pre_processor, "layout", None) is not None:
        return None
    resize = leading_resize(getattr(model.pre_processor, "transform", None))
    return None if resize is None or fixed_size(resize) is not None else resize
