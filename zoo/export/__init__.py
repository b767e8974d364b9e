"""A run becomes a graph that makes the very masks that the run makes; and the choice by a budget.

A graph takes images at the model's size and gives raw score maps and scores; `zoo.predict` reads
what it carries along. Only making one needs torch.
"""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.export.graph import export_model

__all__ = ["export_model"]

__getattr__ = lazy_names(__name__, {"export_model": "zoo.export.graph"})
