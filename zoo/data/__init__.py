"""Data in the MVTec AD 2 layout: reading, caching, batches with native sizes, a tiny set."""

from importlib import import_module

# Resolved on first use: light verbs come through this package and must not import torch.
_LAZY = {"MVTecAD2Layout": "zoo.data.datamodule"}

__all__ = ["MVTecAD2Layout"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
