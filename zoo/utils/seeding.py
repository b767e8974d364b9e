"""Seeds and states of the random generators of Python, numpy and torch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from lightning.pytorch import seed_everything


def apply_seed(seed: bool | int | None) -> int:
    """Seed Python, numpy, torch and data workers, and return the seed that was applied.

    True or None draws one at random, False means 0.
    """
    if seed is True or seed is None:
        seed = random.SystemRandom().randrange(2**32)
    seed_everything(int(seed), workers=True, verbose=False)
    return int(seed)


def keyed(*numbers: int) -> int:
    """Return a seed of 32 bits that belongs to some numbers, such as seed, epoch and index.

    Example:
        >>> keyed(0, 1, 2) == keyed(0, 1, 2), keyed(0, 1, 2) == keyed(0, 2, 1)
        (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def isolated_rng(seed: int) -> Iterator[None]:
    """Let a block draw from freshly seeded generators (CPU), and restore the others afterwards."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - whatever a library draws from
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])


def generator_states() -> dict[str, Any]:
    """Return the states of all global generators as tensors and plain values."""
    version, numbers, gauss = random.getstate()
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    assert isinstance(words, np.ndarray)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, torch.from_numpy(words.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Restore the states that `generator_states` returned."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
