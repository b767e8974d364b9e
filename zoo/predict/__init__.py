"""Images in, predictions out: one interface over a fitted torch model and an exported graph.

Using an exported graph needs numpy, OpenCV, Pillow and the graph's runtime, and no torch.
"""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.predict.graph import GraphPredictor, at_graph_size
    from zoo.predict.graph_files import read_metadata, write_metadata
    from zoo.predict.metadata import ExportMetadata, ImageResize
    from zoo.predict.predictor import Prediction, Predictor
    from zoo.predict.torch_predictor import TorchPredictor

_PLACES = {
    "ExportMetadata": "zoo.predict.metadata",
    "GraphPredictor": "zoo.predict.graph",
    "ImageResize": "zoo.predict.metadata",
    "Prediction": "zoo.predict.predictor",
    "Predictor": "zoo.predict.predictor",
    "TorchPredictor": "zoo.predict.torch_predictor",
    "at_graph_size": "zoo.predict.graph",
    "read_metadata": "zoo.predict.graph_files",
    "write_metadata": "zoo.predict.graph_files",
}
__all__ = [
    "ExportMetadata",
    "GraphPredictor",
    "ImageResize",
    "Prediction",
    "Predictor",
    "TorchPredictor",
    "at_graph_size",
    "read_metadata",
    "write_metadata",
]

__getattr__ = lazy_names(__name__, _PLACES)
