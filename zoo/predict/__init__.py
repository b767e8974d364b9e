"""Images in, predictions out: one interface over a fitted torch model and an exported graph.

To use an exported graph needs numpy, OpenCV, Pillow and the graph's runtime, and no torch.
"""

from typing import TYPE_CHECKING

from zoo.predict.metadata import ExportMetadata, ImageResize
from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.predict.graph import GraphPredictor, at_graph_size
    from zoo.predict.graph_files import read_metadata, write_metadata

__all__ = [
    "ExportMetadata",
    "GraphPredictor",
    "ImageResize",
    "at_graph_size",
    "read_metadata",
    "write_metadata",
]

# Reading metadata must not import a runtime.
__getattr__ = lazy_names(
    __name__,
    {
        "GraphPredictor": "zoo.predict.graph",
        "at_graph_size": "zoo.predict.graph",
        "read_metadata": "zoo.predict.graph_files",
        "write_metadata": "zoo.predict.graph_files",
    },
)
