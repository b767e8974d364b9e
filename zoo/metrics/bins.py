"""Bins of equal relative width for float32 scores, found from their bits, and parts of these bins.

The bits of a float32, read as an integer, rise with its value. Dropping the last 11 of the 23
mantissa bits leaves 2**12 bins per power of two: a bin is 2**-12 (2.5e-4) of its value wide, from
the smallest score to the largest, and no range has to be known in advance. Keeping some of these
11 bits divides every bin into 2, 4, ... 2048 parts of equal width; the last have one score each.
"""

from __future__ import annotations

import numpy as np

from zoo.utils.errors import ZooError

MANTISSA_BITS = 12
PART_BITS = 23 - MANTISSA_BITS  # those that a bin drops


def ordered_bits(scores: np.ndarray) -> np.ndarray:
    """Return an integer for every score that rises with it; -0.0 and 0.0 share one.

    Args:
        scores: (N,) float32, finite.

    Returns:
        (N,) int32. Without its last `PART_BITS` bits it is the number of the bin.

    Example:
        >>> ordered_bits(np.array([-1.0, -0.0, 1.0], np.float32)).tolist()
        [-1065353216, 0, 1065353216]
    """
    bits = scores.view(np.int32)
    # Sign and magnitude to two's complement, so that integers are ordered as the floats are.
    sign = bits >> 31
    ordered = bits & 0x7FFFFFFF
    ordered ^= sign
    ordered -= sign
    return ordered


def score_bins(scores: np.ndarray) -> np.ndarray:
    """Return the bin of every score; a larger score never has a smaller bin.

    Args:
        scores: (N,) float32, finite.

    Returns:
        (N,) int32 between -2**20 and 2**20. Bin 0 starts at 0.0, which -0.0 shares; negative
        scores have negative bins.

    Example:
        >>> score_bins(np.array([-1.0, -0.0, 1.0, 2.0], np.float32)).tolist()
        [-520192, 0, 520192, 524288]
    """
    return ordered_bits(scores) >> PART_BITS


def bin_edges(bins: np.ndarray, part_bits: int = 0) -> np.ndarray:
    """Return the smallest score of every bin, so that ``score >= edge`` says ``bin or above``.

    Args:
        bins: (N,) integers as `score_bins` returns them; one more than the last of all is inf.
        part_bits: Bits of a part that follow those of the bin, where parts of bins are meant.

    Returns:
        (N,) float64, each exactly a float32.

    Example:
        >>> bin_edges(np.array([-520192, 520192, 520193])).tolist()
        [-1.0, 1.0, 1.000244140625]
        >>> bin_edges(np.array([2 * 520192 + 1]), part_bits=1).tolist()
        [1.0001220703125]
    """
    bins = np.asarray(bins, dtype=np.int64)
    magnitudes = np.abs(bins) << (PART_BITS - part_bits)
    values = magnitudes.astype(np.int32).view(np.float32).astype(np.float64)
    return np.where(bins < 0, -values, values)


def finite_scores(scores: np.ndarray, name: str = "scores") -> np.ndarray:
    """Return scores as contiguous float32, or say what is wrong with them.

    Args:
        scores: Any shape and real dtype; float16 and float32 are kept exactly.
        name: What the error calls the array.

    Returns:
        float32 of the same shape, C-contiguous; a copy only where one is needed.

    Raises:
        ZooError: If a value is NaN or infinite as float32; says which array, and how many.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.asarray(scores).astype(np.float32, order="C", copy=False)
        # Two reductions are cheaper than isfinite, and both pass NaN on.
        finite = not converted.size or np.isfinite([converted.min(), converted.max()]).all()
    if not finite:
        nan = int(np.count_nonzero(np.isnan(converted)))
        infinite = int(np.count_nonzero(np.isinf(converted)))
        raise ZooError(
            f"{name} of shape {converted.shape} holds {nan} NaN and {infinite} infinite values "
            f"(float32) among {converted.size}; mend the model or the input that produced them"
        )
    return converted
