"""The place where a defect strikes, and how hard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.data.tiny.frame import Frame

# strength of the faintest defect: below it even a large one drowns in the normal variation
FAINTEST = 0.5


@dataclass(frozen=True)
class Site:
    """Where one defect goes.

    Args:
        frame: The field of view.
        rng: Source of everything random about this defect.
        centre: x and y in units from the top left corner.
        part: (rows, columns) bool, the part of the specimen that is hit.
        strength: From ``FAINTEST`` to 1 (strong).
    """

    frame: Frame
    rng: np.random.Generator
    centre: tuple[float, float]
    part: np.ndarray
    strength: float

    @cached_property
    def breadth(self) -> float:
        """Side of a square as large as the part, in units: a small part has small defects."""
        return float(np.sqrt(np.count_nonzero(self.part))) / self.frame.pitch

    def size(self, low: float, high: float) -> float:
        """Draw a size in units; small ones are as frequent as large ones."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def here(self, field: np.ndarray) -> np.ndarray:
        """Return the mean of a field (..., rows, columns) over a few units around the centre."""
        column, row = (int(value * self.frame.pitch) for value in self.centre)
        reach = max(int(3 * self.frame.pitch), 1)
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        return field[..., rows, columns].mean(axis=(-2, -1))
