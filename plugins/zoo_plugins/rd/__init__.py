"""Reverse Distillation: a decoder that can rebuild normal features only."""

from zoo_plugins.rd.lightning_model import ZooReverseDistillation

__all__ = ["ZooReverseDistillation"]
