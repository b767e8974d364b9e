"""A histogram of float32 scores that holds any number of pixels in constant memory.

Scores are counted by bins of equal relative width (`zoo.metrics.bins`). Behind a large common
offset, as in 10,000 plus or minus 1, they share few of these; so each bin in use is divided into as
many parts as room allows, 2**11 at most, and then every score counts as it is. How many there are
depends on nothing but which bins were used, so that histograms merge exactly, in any order.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics.bins import (
    MANTISSA_BITS,
    PART_BITS,
    bin_edges,
    finite_scores,
    ordered_bits,
    score_bins,
)
from zoo.utils.errors import ZooError

# Scores per pass: few enough for the second-level cache.
_BLOCK = 1 << 18
# Counts to keep as long as bins are divided: half a MB. Undivided bins are fewer than 2**21.
_ROOM = 1 << 15


class ScoreHistogram:
    """Counts of scores by parts of bins; grows with their range, never with their number.

    Counts are float64, so weights are allowed and whole numbers stay exact up to 2**53.

    Attributes:
        part_bits: Every bin in use is divided into 2**part_bits parts, PART_BITS at most.

    Example:
        >>> histogram = ScoreHistogram()
        >>> histogram.update(np.array([1.0, 2.0, 2.0, 4.0], np.float32))
        >>> histogram.total, histogram.quantile(0.75)
        (4.0, 2.000000238418579)
    """

    def __init__(self) -> None:
        self.part_bits = PART_BITS
        self._used = np.zeros(0, np.int32)  # bins in use, in the order in which they came
        self._first = 0  # bin of the first entry of the next array
        self._rows = np.zeros(0, np.int32)  # of a span of bins: row of the counts, -1 unused
        self._counts = np.zeros((0, 1 << PART_BITS))  # (bins in use, parts)

    def update(
        self, scores: np.ndarray, weight: float | np.ndarray = 1.0, name: str = "scores"
    ) -> None:
        """Count scores.

        Args:
            scores: Any shape and real dtype, finite as float32; need not be contiguous.
            weight: What each score counts; one number or an array of the shape of ``scores``.
                A negative one takes back what was counted before.
            name: What an error calls the array.

        Raises:
            ZooError: If a score is NaN or infinite, or the weights have another shape; nothing
                is counted then.
        """
        scores = finite_scores(scores, name)
        if np.ndim(weight) and np.shape(weight) != scores.shape:
            raise ZooError(
                f"weights of shape {np.shape(weight)} for {name} of shape {scores.shape}; "
                "pass one weight per score"
            )
        if not scores.size:
            return
        self._span(*score_bins(np.array([scores.min(), scores.max()])).tolist())
        flat = scores.reshape(-1)
        weights = np.asarray(weight, dtype=np.float64).reshape(-1) if np.ndim(weight) else None
        for start in range(0, flat.size, _BLOCK):
            places = self._places(ordered_bits(flat[start : start + _BLOCK]))
            counts = self._counts.reshape(-1)
            part = weight if weights is None else weights[start : start + _BLOCK]
            if places.size < counts.size:
                # Do not walk all counts for each small map.
                np.add.at(counts, places, part)
            elif weights is None:
                counts += part * np.bincount(places, minlength=counts.size)
            else:
                counts += np.bincount(places, weights=part, minlength=counts.size)

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        merged = ScoreHistogram()
        for part in (self, other):
            if part._used.size:
                merged._span(int(part._used.min()), int(part._used.max()))
                merged._use(part._used)
            merged._divide(part.part_bits)
        for part in (self, other):
            counts = _joined(part._counts, merged.part_bits)
            merged._counts[merged._rows[part._used - merged._first]] += counts
        return merged

    @property
    def total(self) -> float:
        """Sum of all counts."""
        return float(self._counts.sum())

    @property
    def size(self) -> int:
        """Number of counts that are kept."""
        return self._counts.size

    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower edges of the parts in use, (n,) float64, and their counts, (n,)."""
        [(lower, _, counts)] = common_parts(self)
        return lower, counts

    def quantile(self, share: float) -> float | None:
        """Return the score at or below which a share of all scores lies.

        It is the upper edge of the part that holds ``np.quantile(..., method="inverted_cdf")``,
        so ``score >= quantile(share)`` marks at most ``1 - share`` of the scores counted here.

        Args:
            share: In 0..1.

        Returns:
            At most one bin (2**-12 of its value) above the exact quantile; None without scores.

        Raises:
            ZooError: If ``share`` is not in 0..1.
        """
        if not 0 <= share <= 1:
            raise ZooError(f"quantile({share}): the share must be between 0 and 1")
        parts, counts = self._parts()
        if not parts.size:
            return None
        at_or_below = np.cumsum(counts)
        # 0.07 * 100 is a hair above 7: rounding must not move a quantile to the next score.
        wanted = share * at_or_below[-1] * (1 - 1e-12)
        part = parts[np.searchsorted(at_or_below, wanted)]
        return float(bin_edges(np.array([part + 1]), self.part_bits)[0])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return ``mantissa_bits``, ``bins`` and ``counts`` of the parts in use, for an npz file.

        A score's bin is its `ordered_bits` without the last 23 - mantissa_bits of them: (n,) int32,
        ascending, beside (n,) float64.
        """
        parts, counts = self._parts()
        bits = MANTISSA_BITS + (self.part_bits if parts.size else PART_BITS)
        return {
            "mantissa_bits": np.array(bits),
            "bins": parts.astype(np.int32),
            "counts": counts,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> ScoreHistogram:
        """Rebuild a histogram from the arrays of `to_arrays`.

        Raises:
            ValueError: They are none.
        """
        part_bits = int(arrays["mantissa_bits"]) - MANTISSA_BITS
        parts = np.asarray(arrays["bins"], dtype=np.int64)
        counts = np.asarray(arrays["counts"], dtype=np.float64)
        if not np.isfinite(counts).all():
            raise ValueError("counts are not finite")
        if not 0 <= part_bits <= PART_BITS or parts.shape != counts.shape or parts.ndim != 1:
            raise ValueError("bins and counts do not belong together")
        histogram = cls()
        histogram._divide(part_bits)
        if not parts.size:
            return histogram
        bins = (parts >> part_bits).astype(np.int32)
        if (np.diff(parts) <= 0).any() or abs(bins).max() > 1 << 20:
            raise ValueError("bins are not ascending, or beyond all scores")
        histogram._span(int(bins[0]), int(bins[-1]))
        histogram._use(np.unique(bins))
        if histogram.part_bits != part_bits:
            raise ValueError("too many bins are divided")
        rows = histogram._rows[bins - histogram._first]
        histogram._counts[rows, parts & ((1 << part_bits) - 1)] = counts
        return histogram

    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the parts in use, (n,) int64, ascending, and their counts, (n,)."""
        order = np.argsort(self._used)
        counts = self._counts[order]
        row, part = np.nonzero(counts)
        numbers = (self._used[order][row].astype(np.int64) << self.part_bits) + part
        return numbers, counts[row, part]

    def _places(self, bits: np.ndarray) -> np.ndarray:
        """Return where scores are counted in the flat counts, making room for bins not yet used."""
        bins = bits >> PART_BITS
        bins -= self._first
        rows = self._rows.take(bins)
        if rows.min() < 0:
            self._use(np.unique(bins[rows < 0]) + np.int32(self._first))
            rows = self._rows.take(bins)
        if not self.part_bits:
            return rows
        rows <<= self.part_bits
        bits >>= PART_BITS - self.part_bits
        bits &= (1 << self.part_bits) - 1
        rows |= bits
        return rows

    def _span(self, first: int, last: int) -> None:
        """Let the table of rows reach from one bin to another."""
        if not self._rows.size:
            self._first, self._rows = first, np.full(last - first + 1, -1, np.int32)
            return
        low = min(first, self._first)
        high = max(last, self._first + self._rows.size - 1)
        if high - low + 1 > self._rows.size:
            grown = np.full(high - low + 1, -1, np.int32)
            grown[self._first - low : self._first - low + self._rows.size] = self._rows
            self._first, self._rows = low, grown

    def _use(self, bins: np.ndarray) -> None:
        """Keep counts of these bins too, which lie in the span; each is given once."""
        new = bins[self._rows[bins - self._first] < 0]
        self._rows[new - self._first] = np.arange(self._used.size, self._used.size + new.size)
        self._used = np.concatenate([self._used, new])
        self._divide(max(0, (_ROOM // max(1, self._used.size)).bit_length() - 1))
        empty = np.zeros((new.size, self._counts.shape[1]))
        self._counts = np.concatenate([self._counts, empty])

    def _divide(self, part_bits: int) -> None:
        """Join parts of bins until there are no more of them than this."""
        self.part_bits = min(self.part_bits, part_bits)
        self._counts = _joined(self._counts, self.part_bits)


def common_parts(*histograms: ScoreHistogram) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the parts in use of each histogram, with bins divided as in the coarsest of them.

    So equal edges mean the same part of a bin, and scores of one part are ties.

    Returns:
        Lower edges, upper edges and counts, (n,) float64 each, ascending.
    """
    part_bits = min(each.part_bits for each in histograms)
    found = []
    for each in histograms:
        parts, counts = each._parts()
        numbers, places = np.unique(parts >> (each.part_bits - part_bits), return_inverse=True)
        joined = np.bincount(places, weights=counts, minlength=numbers.size)
        found.append((bin_edges(numbers, part_bits), bin_edges(numbers + 1, part_bits), joined))
    return found


def _joined(counts: np.ndarray, part_bits: int) -> np.ndarray:
    """Return counts of bins, (n, parts), with neighbouring parts added up to 2**part_bits."""
    together = counts.shape[1] >> part_bits
    if together == 1:
        return counts
    return counts.reshape(len(counts), 1 << part_bits, together).sum(axis=2)
