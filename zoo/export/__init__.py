"""Exported graphs and what they carry along, so that they make the very masks that runs make.

A graph takes images at the model's size and gives raw score maps and scores. How a picture gets to
that size, and how a score map becomes a mask, travels beside it as metadata. To use an exported
model needs numpy, OpenCV, Pillow and the graph's runtime; only making one needs torch.
"""

from importlib import import_module

from zoo.export.metadata import ExportMetadata, ImageResize

# Resolved on first use: reading metadata must not import a runtime, nor running one torch.
_LAZY = {
    "ExportedModel": "zoo.export.model",
    "at_graph_size": "zoo.export.model",
    "export_model": "zoo.export.graph",
    "read_metadata": "zoo.export.files",
    "write_metadata": "zoo.export.files",
}

__all__ = [
    "ExportMetadata",
    "ExportedModel",
    "ImageResize",
    "at_graph_size",
    "export_model",
    "read_metadata",
    "write_metadata",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
