"""A graph has one input size: pictures that have several there go through it in square tiles.

To stretch them to one size would cost a method far more than any precision does: defects lose their
shape, and the bank of normal patches knows none of what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from anomalib.models import AnomalibModule
from torchvision.transforms.v2 import Resize

from zoo.data.dataset import size_at
from zoo.data.native import leading_resize
from zoo.export.metadata import ExportMetadata
from zoo.tiling.grid import Layout
from zoo.tiling.scaled import Scaled

_OVERLAP = 4  # neighbours share at least about a fourth of a tile


def input_sizes(
    model: AnomalibModule, native_sizes: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the sizes (h, w) that a model resizes pictures to, by their aspect; none if fixed."""
    resize = _keeping_aspect(model)
    if resize is None:
        return []
    sizes = {size_at(native_size, resize) for native_size in native_sizes}
    return sorted(sizes, key=lambda size: size[0] / size[1])


def in_tiles(metadata: ExportMetadata, model: AnomalibModule) -> ExportMetadata:
    """Return what a graph carries along that sees pictures in tiles, where the run sees them whole.

    Args:
        metadata: Of the graph, whose input is square.
        model: What the graph was made from; it keeps the aspect of pictures.
    """
    resize, (side, _) = _keeping_aspect(model), metadata.resize.size
    if isinstance(resize, Scaled):
        scale = resize.to_dict()
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
