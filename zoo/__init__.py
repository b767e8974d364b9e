"""anomalib-zoo: train, compare and hand in visual anomaly detection methods, one folder each."""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.benchmark.bench import bench
    from zoo.results.table import table
    from zoo.runs.api import fit, load
    from zoo.runs.run import Run

__version__ = "0.1.0"

__all__ = ["Run", "__version__", "bench", "fit", "load", "table"]

# Light verbs never import torch.
__getattr__ = lazy_names(
    __name__,
    {
        "Run": "zoo.runs.run",
        "bench": "zoo.benchmark.bench",
        "fit": "zoo.runs.api",
        "load": "zoo.runs.api",
        "table": "zoo.results.table",
    },
)
