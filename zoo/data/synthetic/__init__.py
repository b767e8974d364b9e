"""Classical, class-agnostic defects put into normal images: for calibration and for training."""

from zoo.data.synthetic.defect import KINDS, SIZES, STRENGTHS, Defect, defects
from zoo.data.synthetic.put import put_defect

__all__ = ["KINDS", "SIZES", "STRENGTHS", "Defect", "defects", "put_defect"]
