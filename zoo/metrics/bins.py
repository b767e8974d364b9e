"""Bins of equal relative width for float32 scores, found from their bits.

The bits of a float32, read as an integer, rise with its value. Dropping the last 11 of the 23
mantissa bits leaves 2**12 bins per power of two: a bin is 2**-12 (2.5e-4) of its value wide, from
the smallest score to the largest, and no range has to be known in advance. All finite scores
together fill fewer than 2**21 bins, of which only the span in use is stored.

Scores that need no more than 12 mantissa bits, as every float16, lose nothing at all.
Scores that differ only behind a large common offset (100.00 to 100.05) share few bins: take the
offset off first.
"""

from __future__ import annotations

import numpy as np

from zoo.errors import ZooError

MANTISSA_BITS = 12
_SHIFT = 23 - MANTISSA_BITS


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
    bits = scores.view(np.int32)
    # Sign and magnitude to two's complement, so that integers are ordered as the floats are.
    sign = bits >> 31
    bins = bits & 0x7FFFFFFF
    bins ^= sign
    bins -= sign
    bins >>= _SHIFT
    return bins


def bin_edges(bins: np.ndarray) -> np.ndarray:
    """Return the smallest score of every bin, so that ``score >= edge`` says ``bin or above``.

    Args:
        bins: (N,) integers as `score_bins` returns them; one more than the last of all is inf.

    Returns:
        (N,) float64, each exactly a float32.

    Example:
        >>> bin_edges(np.array([-520192, 520192, 520193])).tolist()
        [-1.0, 1.0, 1.000244140625]
    """
    bins = np.asarray(bins, dtype=np.int32)
    magnitudes = (np.abs(bins) << _SHIFT).view(np.float32).astype(np.float64)
    return np.where(bins < 0, -magnitudes, magnitudes)


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
