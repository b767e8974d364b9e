"""One place that seeds every generator a run may draw from."""

from __future__ import annotations

import random

from lightning.pytorch import seed_everything


def apply_seed(wanted: bool | int | None) -> int:
    """Seed Python, numpy, torch and data workers, and return the seed that was applied.

    Args:
        wanted: A seed; True or None draws one at random, False means 0.
    """
    if wanted is True or wanted is None:
        seed = random.SystemRandom().randrange(2**32)
    else:
        seed = int(wanted)
    seed_everything(seed, workers=True, verbose=False)
    return seed
