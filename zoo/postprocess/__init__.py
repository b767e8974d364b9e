"""From a score map to a mask: thresholds from normal images, then blob analysis; numpy, OpenCV."""

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished, finish
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
from zoo.postprocess.score_maps import Scenes, to_native

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
