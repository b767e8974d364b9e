"""Calibration rules: pure functions from score maps of normal images to a `Calibration`."""

from zoo.post.rules.adaptive import Adaptive
from zoo.post.rules.base import Rule
from zoo.post.rules.budget import FalseAlarmBudget
from zoo.post.rules.levels import Maximum, MeanStd, Quantile
from zoo.post.rules.mebin import Mebin
from zoo.post.rules.midway import Midway
from zoo.post.rules.synthetic import SyntheticDefects

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
