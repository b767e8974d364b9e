"""From a score map to a mask: thresholds from normal images, finished by blob analysis.

Everything here is numpy and OpenCV.
"""

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished, finish
from zoo.postprocess.resize import to_native
from zoo.postprocess.rules import (
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
from zoo.postprocess.scenes import Scenes

__all__ = [
    "Adaptive",
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
