"""Single numbers from a generator."""

from __future__ import annotations

import numpy as np


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a positive number; every factor is as likely as any other (log-uniform)."""
    return float(low * (high / low) ** rng.random())
