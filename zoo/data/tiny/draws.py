"""Random generators that depend on names only, never on the order in which pictures are made."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """The random draws of one physical scene.

    Each purpose has its own stream, so that drawing more for one thing (say, noise) leaves every
    other thing (say, geometry) as it was.

    Args:
        seed: Seed of the whole data set.
        subject: Object the scene shows.
        scene: Name of the scene, unique within the object.

    Example:
        >>> draws = Draws(0, "weave", "train_000")
        >>> float(draws("pose").random()) == float(draws("pose").random())
        True
    """

    seed: int
    subject: str
    scene: str

    def __call__(self, purpose: str) -> np.random.Generator:
        """Return a fresh generator for one purpose; the same purpose gives the same draws."""
        words = (self.subject, self.scene, purpose)
        # crc32, because Python salts hash() of a string anew in every process
        return np.random.default_rng([self.seed, *(zlib.crc32(word.encode()) for word in words)])
