"""SegF1, the ranking metric of MVTec AD 2: the F1 score of masks over the pooled pixels of a split.

Source: the evaluation server of MVTec AD 2 (VAND 3 and 4). True positives, false positives and
false negatives are summed over all pixels of all images of one object and split, normal images
included; F1 is taken once, of the sums. It is *not* the mean of the F1 scores of the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.utils.errors import ZooError


def segf1(true_positives: int, false_positives: int, false_negatives: int) -> float | None:
    """Return 2 TP / (2 TP + FP + FN), in 0..1; None where no pixel is marked and none is to be.

    The server's own 0 for that case would rate a perfect answer as the worst one.

    Example:
        >>> round(segf1(13, 6, 11), 6)
        0.604651
        >>> segf1(0, 0, 0) is None
        True
    """
    return _ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives)


def binary_mask(mask: np.ndarray, name: str = "mask") -> np.ndarray:
    """Return a mask (H, W), bool or uint8, as bool: every value other than 0 is marked.

    Raises:
        ZooError: For another number of axes or another dtype. A float array is most likely
            a score map without a threshold.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ZooError(f"{name} has shape {mask.shape}; pass one image of shape (height, width)")
    if mask.dtype != np.bool_ and mask.dtype != np.uint8:
        raise ZooError(f"{name} has dtype {mask.dtype}; pass bool or uint8, 0 for normal pixels")
    return mask.astype(np.bool_, copy=False)


@dataclass
class PixelCounts:
    """Pixels of one object and split by truth (defect, normal) and mask (marked, unmarked).

    Python integers, so nothing overflows. Counters of parts of a split add up with `+`.

    Attributes:
        tp: Defect pixels that are marked.
        fp: Normal pixels that are marked.
        fn: Defect pixels that are not marked.
        tn: Normal pixels that are not marked.

    Example:
        >>> counts = PixelCounts()
        >>> counts.update(np.array([[1, 1, 0, 0]], np.uint8), np.array([[0, 1, 1, 0]], np.uint8))
        >>> counts.precision, counts.recall, counts.segf1
        (0.5, 0.5, 0.5)
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def update(self, mask: np.ndarray, truth: np.ndarray) -> None:
        """Count one image at its native size; a normal image counts too, with an empty truth.

        Args:
            mask: (H, W) bool or uint8, not 0 where the image is called anomalous.
            truth: (H, W) bool or uint8, not 0 where it is.

        Raises:
            ZooError: The shapes differ or an array is no mask; nothing is counted then.
        """
        mask, truth = binary_mask(mask), binary_mask(truth, "truth")
        if mask.shape != truth.shape:
            raise ZooError(
                f"mask has shape {mask.shape} but truth {truth.shape}; "
                "resize the mask to native size"
            )
        marked, defect = int(np.count_nonzero(mask)), int(np.count_nonzero(truth))
        hit = int(np.count_nonzero(mask & truth)) if marked and defect else 0
        self.tp += hit
        self.fp += marked - hit
        self.fn += defect - hit
        self.tn += mask.size - marked - defect + hit

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.tn + other.tn,
        )

    @property
    def segf1(self) -> float | None:
        """SegF1 of the masks, 0..1; None when neither truth nor masks mark a pixel."""
        return segf1(self.tp, self.fp, self.fn)

    @property
    def precision(self) -> float | None:
        """Share of the marked pixels that are defect, 0..1.

        0.0 when none is marked though some are to be, as SegF1 is; None when none is to be either.
        """
        return _ratio(self.tp, self.tp + self.fp or self.fn)

    @property
    def recall(self) -> float | None:
        """Share of the defect pixels that are marked, 0..1; None when there is none."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def segf1_all_positive(self) -> float | None:
        """SegF1 of masks that mark every pixel, 0..1: the trivial baseline; None without pixels."""
        return segf1(self.tp + self.fn, self.fp + self.tn, 0)

    @property
    def flagged_fraction(self) -> float | None:
        """Share of all pixels that the masks mark, 0..1; None before the first image."""
        marked = self.tp + self.fp
        return _ratio(marked, marked + self.fn + self.tn)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
