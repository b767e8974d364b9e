"""The shared post-processor: thresholds from normal images, masks finished by blob analysis."""

from importlib import import_module

from zoo.post.calibration import Calibration
from zoo.post.finish import Finished, finish
from zoo.post.resize import to_native
from zoo.post.rules import (
    Adaptive,
    FalseAlarmBudget,
    Maximum,
    MeanStd,
    Mebin,
    Midway,
    Quantile,
    Rule,
    SyntheticDefects,
)
from zoo.post.scenes import Scenes

# Resolved on first use: everything else here is numpy and OpenCV and must stay free of torch.
_LAZY = {"BlobPostProcessor": "zoo.post.processor"}

__all__ = [
    "Adaptive",
    "BlobPostProcessor",
    "Calibration",
    "FalseAlarmBudget",
    "Finished",
    "Maximum",
    "MeanStd",
    "Mebin",
    "Midway",
    "Quantile",
    "Rule",
    "Scenes",
    "SyntheticDefects",
    "finish",
    "to_native",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
