"""Metrics at native resolution that stream: SegF1, AUROC, oracle F1 and AU-PRO."""

from zoo.metrics.archive import add_splits, load_splits, save_splits
from zoo.metrics.curves import PixelScores
from zoo.metrics.histogram import ScoreHistogram
from zoo.metrics.ranking import image_auroc, image_f1_max
from zoo.metrics.segf1 import PixelCounts, segf1

__all__ = [
    "PixelCounts",
    "PixelScores",
    "ScoreHistogram",
    "add_splits",
    "image_auroc",
    "image_f1_max",
    "load_splits",
    "save_splits",
    "segf1",
]
