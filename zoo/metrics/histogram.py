"""A histogram of float32 scores that holds any number of pixels in constant memory.

The bits of a float32, read as an integer, rise with its value. Without the last 11 of the 23
mantissa bits they number bins of equal relative width, 2**-12 (2.5e-4) of the value, for all scores
there are. Behind a large common offset, as in 10,000 plus or minus 1, scores share few bins; so
each bin in use is divided into as many parts as room allows, 2**11 at most, and then every score
counts as it is. How many depends on nothing but which bins are in use: histograms merge exactly, in
any order.
"""

from __future__ import annotations

import numpy as np

from zoo.utils.errors import ZooError

MANTISSA_BITS = 12
PART_BITS = 23 - MANTISSA_BITS  # those that a bin drops
# Scores per pass: few enough for the second-level cache.
_BLOCK = 1 << 18
# Counts to keep as long as bins are divided: half a MB. Undivided bins are fewer than 2**21.
_ROOM = 1 << 15


def ordered_bits(scores: np.ndarray) -> np.ndarray:
    """Return integers that rise with the scores, (N,) int32 for finite float32 (N,).

    Without its last `PART_BITS` bits it is the number of the bin; -0.0 and 0.0 share one.

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
    """Return the bin of every score, int32 between -2**20 and 2**20; bin 0 starts at 0.0.

    Example:
        >>> score_bins(np.array([-1.0, -0.0, 1.0, 2.0], np.float32)).tolist()
        [-520192, 0, 520192, 524288]
    """
    return ordered_bits(scores) >> PART_BITS


def bin_edges(bins: np.ndarray, part_bits: int = 0) -> np.ndarray:
    """Return the smallest score of every bin, float64 (N,), each exactly a float32.

    Args:
        bins: (N,) integers as `score_bins` returns them; one more than the last of all is inf.
        part_bits: Bits of a part that follow those of the bin, where parts of bins are meant.

    Example:
        >>> bin_edges(np.array([-520192, 520192, 520193])).tolist()
        [-1.0, 1.0, 1.000244140625]
    """
    bins = np.asarray(bins, dtype=np.int64)
    magnitudes = np.abs(bins) << (PART_BITS - part_bits)
    values = magnitudes.astype(np.int32).view(np.float32).astype(np.float64)
    edges: np.ndarray = np.where(bins < 0, -values, values)
    return edges


def finite_scores(scores: np.ndarray, name: str = "scores") -> np.ndarray:
    """Return scores of any shape and real dtype as C-contiguous float32.

    Raises:
        ZooError: A value is NaN or infinite as float32; names the array, and counts them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        converted: np.ndarray = np.asarray(scores).astype(np.float32, order="C", copy=False)
        # Two reductions are cheaper than isfinite, and both pass NaN on.
        finite = not converted.size or np.isfinite([converted.min(), converted.max()]).all()
    if not finite:
        nan = int(np.count_nonzero(np.isnan(converted)))
        infinite = int(np.count_nonzero(np.isinf(converted)))
        raise ZooError(
            f"{name} of shape {converted.shape} holds {nan} NaN and {infinite} infinite values "
            f"(float32) among {converted.size}; repair the model or the input that produced them"
        )
    return converted


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
        """Count scores of any shape and real dtype.

        Args:
            scores: Finite as float32.
            weight: What one score counts: a number, or an array of the shape of `scores`. A
                negative one takes back what was counted before.
            name: What an error calls the array.

        Raises:
            ZooError: A score is not finite, or the weights have another shape; none is counted.
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
        """Return the score at or below which a share (0..1) of all scores lies; None without any.

        It is the upper edge of the part that holds `np.quantile(..., method="inverted_cdf")`: at
        most 2**-12 of its value higher, and `score >= quantile(share)` marks at most `1 - share`.

        Raises:
            ZooError: `share` is not in 0..1.
        """
        if not 0 <= share <= 1:
            raise ZooError(f"quantile({share}): the share must be between 0 and 1")
        parts, counts = self._parts()
        if not parts.size:
            return None
        at_or_below = np.cumsum(counts)
        # 0.07 * 100 is a hair above 7: rounding must not move a quantile to the next score.
        rank = share * at_or_below[-1] * (1 - 1e-12)
        part = parts[np.searchsorted(at_or_below, rank)]
        return float(bin_edges(np.array([part + 1]), self.part_bits)[0])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return `mantissa_bits`, `bins` (n,) int32 ascending and `counts` (n,) float64.

        A score's bin is here its `ordered_bits` without the last 23 - mantissa_bits of them.
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
        """Rebuild a histogram from the arrays of `to_arrays`; ValueError if they are others."""
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
    """Return lower edges, upper edges and counts of each histogram, (n,) float64, ascending.

    Bins are divided as in the coarsest histogram: equal edges mean the same part of a bin.
    """
    part_bits = min(histogram.part_bits for histogram in histograms)
    common = []
    for histogram in histograms:
        parts, counts = histogram._parts()
        numbers, places = np.unique(parts >> (histogram.part_bits - part_bits), return_inverse=True)
        joined = np.bincount(places, weights=counts, minlength=numbers.size)
        common.append((bin_edges(numbers, part_bits), bin_edges(numbers + 1, part_bits), joined))
    return common


def _joined(counts: np.ndarray, part_bits: int) -> np.ndarray:
    """Return counts of bins, (n, parts), with neighbouring parts added up to 2**part_bits."""
    together = counts.shape[1] >> part_bits
    if together == 1:
        return counts
    joined: np.ndarray = counts.reshape(len(counts), 1 << part_bits, together).sum(axis=2)
    return joined
