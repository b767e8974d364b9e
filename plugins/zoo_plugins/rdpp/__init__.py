"""RD++: reverse distillation whose features are first cleaned of what is not normal."""

from zoo_plugins.rdpp.lightning_model import ReverseDistillationPlusPlus

__all__ = ["ReverseDistillationPlusPlus"]
