"""Data: the MVTec AD 2 layout, your own folders, caching, batches with native sizes, a tiny set."""

from importlib import import_module

# Resolved on first use: light verbs come through this package and must not import torch.
_LAZY = {
    "MVTecAD2Layout": "zoo.data.datamodule",
    "PictureFolders": "zoo.data.folders",
}

__all__ = ["MVTecAD2Layout", "PictureFolders"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
