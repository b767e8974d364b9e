"""anomalib-zoo: train, compare and hand in visual anomaly detection methods, one folder each."""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.results.table import table
    from zoo.runs.load import load

__version__ = "0.1.0"

__all__ = ["__version__", "load", "table"]

# Light verbs never import torch.
__getattr__ = lazy_names(__name__, {"load": "zoo.runs.load", "table": "zoo.results.table"})
