"""Data: the MVTec AD 2 layout, your own folders, caching, batches with native sizes, a tiny set."""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.data.datamodule import MVTecAD2Layout
    from zoo.data.folders import ImageFolders

__all__ = ["ImageFolders", "MVTecAD2Layout"]

# Resolved on first use: light verbs come through this package and must not import torch.
__getattr__ = lazy_names(
    __name__, {"MVTecAD2Layout": "zoo.data.datamodule", "ImageFolders": "zoo.data.folders"}
)
