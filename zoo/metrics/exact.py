"""Every score as it is: the exact counterpart of the histogram, for sets that memory holds.

It keeps each distinct score once with its count. A histogram may merge scores that are closer than
2**-12 of their value, which moves no metric of a whole split by 1e-4.
"""

from __future__ import annotations

import numpy as np

from zoo.metrics.bins import finite_scores
from zoo.utils.errors import ZooError

# Three sets of 12 bytes each and room to sort: about 2 GB. More belongs into histograms.
MOST_SCORES = 1 << 25


class ExactScores:
    """Counts of scores by value; takes the place of a `ScoreHistogram`.

    Attributes:
        values: (n,) float32, the distinct scores, lowest first.
        counts: (n,) float64, what each of them counts.

    Example:
        >>> scores = ExactScores()
        >>> scores.update(np.array([2.0, 1.0, 2.0], np.float32))
        >>> scores.values.tolist(), scores.counts.tolist(), scores.total
        ([1.0, 2.0], [1.0, 2.0], 3.0)
    """

    def __init__(self) -> None:
        self.values = np.zeros(0, np.float32)
        self.counts = np.zeros(0)

    def update(
        self, scores: np.ndarray, weight: float | np.ndarray = 1.0, name: str = "scores"
    ) -> None:
        """Count scores; arguments and errors are those of `ScoreHistogram.update`.

        Raises:
            ZooError: Besides, when more distinct scores came than a small set has.
        """
        scores = finite_scores(scores, name)
        if np.ndim(weight) and np.shape(weight) != scores.shape:
            raise ZooError(
                f"weights of shape {np.shape(weight)} for {name} of shape {scores.shape}; "
                "pass one weight per score"
            )
        weights = np.broadcast_to(np.asarray(weight, dtype=np.float64), scores.shape)
        self._add(scores.ravel() + np.float32(0), weights.ravel())  # -0.0 becomes 0.0

    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return distinct scores, (n,) float64, and their counts, (n,) float64, lowest first."""
        return self.values.astype(np.float64), self.counts

    @property
    def total(self) -> float:
        """Sum of all counts."""
        return float(self.counts.sum())

    def __add__(self, other: ExactScores) -> ExactScores:
        if not isinstance(other, ExactScores):
            return NotImplemented
        merged = ExactScores()
        merged.values, merged.counts = self.values, self.counts
        merged._add(other.values, other.counts)
        return merged

    def _add(self, scores: np.ndarray, weights: np.ndarray) -> None:
        both = np.concatenate([self.values, scores])
        values, places = np.unique(both, return_inverse=True)
        if values.size > MOST_SCORES:
            raise ZooError(
                f"more than {MOST_SCORES} distinct scores: exact metrics are for small sets; "
                "use PixelScores(), which streams"
            )
        counts = np.bincount(
            places, weights=np.concatenate([self.counts, weights]), minlength=values.size
        )
        kept = counts != 0  # what was counted and taken back
        self.values, self.counts = values[kept], counts[kept]
