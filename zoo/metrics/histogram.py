"""A histogram of float32 scores that holds any number of pixels in constant memory."""

from __future__ import annotations

import numpy as np

from zoo.errors import ZooError
from zoo.metrics.bins import bin_edges, finite_scores, score_bins

# Scores per pass: few enough for the second-level cache.
_BLOCK = 1 << 18


class ScoreHistogram:
    """Counts of scores by bin; grows with the range of the scores, never with their number.

    Counts are float64, so weights are allowed and whole numbers stay exact up to 2**53.

    Example:
        >>> histogram = ScoreHistogram()
        >>> histogram.update(np.array([1.0, 2.0, 2.0, 4.0], np.float32))
        >>> histogram.total, histogram.quantile(0.75)
        (4.0, 2.00048828125)
    """

    def __init__(self) -> None:
        self.first_bin = 0
        self.counts = np.zeros(0)

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
        first, last = score_bins(np.array([scores.min(), scores.max()])).tolist()
        counts = self._span(first, last)
        flat = scores.reshape(-1)
        weights = np.asarray(weight, dtype=np.float64).reshape(-1) if np.ndim(weight) else None
        for start in range(0, flat.size, _BLOCK):
            bins = score_bins(flat[start : start + _BLOCK])
            bins -= first
            part = weight if weights is None else weights[start : start + _BLOCK]
            if bins.size < counts.size:
                # Signed scores span a million bins around zero: do not walk them for each block.
                np.add.at(counts, bins, part)
            elif weights is None:
                counts += part * np.bincount(bins, minlength=counts.size)
            else:
                counts += np.bincount(bins, weights=part, minlength=counts.size)

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        merged = ScoreHistogram()
        for part in (self, other):
            if part.counts.size:
                merged._span(part.first_bin, part.last_bin)[:] += part.counts
        return merged

    @property
    def last_bin(self) -> int:
        """Last bin of the stored span; below ``first_bin`` while nothing was counted."""
        return self.first_bin + self.counts.size - 1

    @property
    def total(self) -> float:
        """Sum of all counts."""
        return float(self.counts.sum())

    @property
    def edges(self) -> np.ndarray:
        """Borders of the bins of ``counts``, (bins + 1,) float64, in units of the score."""
        return bin_edges(np.arange(self.first_bin, self.last_bin + 2))

    @property
    def centers(self) -> np.ndarray:
        """Middles of the bins of ``counts``, (bins,) float64, in units of the score."""
        edges = self.edges
        return (edges[:-1] + edges[1:]) / 2

    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower edges of the bins in use, (n,) float64, and their counts, (n,)."""
        used = np.flatnonzero(self.counts)
        return bin_edges(self.first_bin + used), self.counts[used]

    def quantile(self, share: float) -> float | None:
        """Return the score at or below which a share of all scores lies.

        It is the upper edge of the bin that holds ``np.quantile(..., method="inverted_cdf")``,
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
        occupied = np.flatnonzero(self.counts)
        if not occupied.size:
            return None
        at_or_below = np.cumsum(self.counts[occupied])
        # 0.07 * 100 is a hair above 7: rounding must not move a quantile to the next score.
        wanted = share * at_or_below[-1] * (1 - 1e-12)
        index = occupied[np.searchsorted(at_or_below, wanted)]
        return float(bin_edges(np.array([self.first_bin + index + 1]))[0])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return ``first_bin`` and ``counts`` without empty bins at either end, for an npz file."""
        occupied = np.flatnonzero(self.counts)
        if not occupied.size:
            return {"first_bin": np.array(0), "counts": np.zeros(0)}
        span = slice(occupied[0], occupied[-1] + 1)
        return {"first_bin": np.array(self.first_bin + occupied[0]), "counts": self.counts[span]}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> ScoreHistogram:
        """Rebuild a histogram from the arrays of `to_arrays`."""
        histogram = cls()
        histogram.first_bin = int(arrays["first_bin"])
        histogram.counts = np.array(arrays["counts"], dtype=np.float64)
        return histogram

    def _span(self, first: int, last: int) -> np.ndarray:
        """Return a writable view of the counts of bins first..last, growing the span to hold it."""
        if not self.counts.size:
            self.first_bin, self.counts = first, np.zeros(last - first + 1)
        elif first < self.first_bin or last > self.last_bin:
            low, high = min(first, self.first_bin), max(last, self.last_bin)
            grown = np.zeros(high - low + 1)
            grown[self.first_bin - low : self.last_bin + 1 - low] = self.counts
            self.first_bin, self.counts = low, grown
        return self.counts[first - self.first_bin : last + 1 - self.first_bin]
