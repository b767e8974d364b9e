"""A fitted model becomes a graph that gives the masks of the run; only making one needs torch."""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.export.graph import export_model

__all__ = ["export_model"]

__getattr__ = lazy_names(__name__, {"export_model": "zoo.export.graph"})
