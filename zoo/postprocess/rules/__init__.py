"""Calibration rules: pure functions from score maps of normal images to a `Calibration`."""

from zoo.postprocess.rules.base import Rule
from zoo.postprocess.rules.budget import FalseAlarmBudget
from zoo.postprocess.rules.levels import Maximum, MeanStd, Mebin, Quantile
from zoo.postprocess.rules.midway import Adaptive, Midway
from zoo.postprocess.rules.synthetic import SyntheticDefects

__all__ = [
    "Adaptive",
    "FalseAlarmBudget",
    "Maximum",
    "MeanStd",
    "Mebin",
    "Midway",
    "Quantile",
    "Rule",
    "SyntheticDefects",
]
