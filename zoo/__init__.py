"""anomalib-zoo: train, compare and hand in visual anomaly detection methods, one folder each."""

from importlib import import_module

__version__ = "0.1.0"

__all__ = ["__version__", "load"]

# Resolved on first use: `import zoo` stays light, and light verbs never import torch.
_LAZY = {"load": "zoo.runs.load"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
