"""Ranges of the numbers in recipes, by the name of the setting, wherever it stands."""

from __future__ import annotations

import math
from typing import Any

from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import leaves

_SIDE = 1 << 16  # pixels
_MANY = 1 << 40
_SEEDS = (1 << 32) - 1  # what numpy takes
_NO_LIMIT = -1  # lightning's word for it, in _UNLIMITED
_UNLIMITED = {"max_steps", "max_epochs"}
# Least and most by whole name, and else by how the name ends.
_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, _SEEDS),
    "seed_everything": (0, _SEEDS),
    "num_workers": (0, 256),
    "max_epochs": (1, _MANY),
    "num_nodes": (1, _SIDE),
    "num_sanity_val_steps": (-1, _MANY),
    "log_every_n_steps": (0, _MANY),
    "min_steps": (0, _MANY),
    "min_epochs": (0, _MANY),
    "warmup_steps": (0, _MANY),
    "bank_size": (1, _MANY),
    "accumulate_grad_batches": (1, _MANY),
    "check_val_every_n_epoch": (1, _MANY),
    "size": (1, _SIDE),
    "side": (1, _SIDE),
    "shorter_side": (1, _SIDE),
    "window": (1, _SIDE),
    "multiple": (1, _SIDE),
    "tiles_per_step": (1, _SIDE),
    "overlap": (0, _SIDE),
    "sigma": (0, _SIDE),
    "num_neighbors": (1, _SIDE),
    "q": (0, 1),
}
_ENDINGS: dict[str, tuple[float, float]] = {
    "_size": (1, _SIDE),
    "_steps": (1, _MANY),
    "_dim": (1, _SIDE),
    "_px": (0, _SIDE * _SIDE),
    "_mb": (0, _MANY),
    "_ratio": (0, 1),
    "_share": (0, 1),
}
# Nothing would be learned from nothing.
_ABOVE_ZERO = {
    "coreset_sampling_ratio",
    "limit_train_batches",
    "learning_rate",
    "lr",
    "bank_budget_mb",
}


def check_numbers(data: Any, source: object = "") -> None:
    """Raise for a number that its setting cannot have.

    Args:
        data: A recipe or a part of one, as plain data.
        source: The file that it comes from, for the error.

    Raises:
        ZooError: The first such number, with its place and its range.
    """
    for key, value in leaves(data):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if problem := _problem(key.rpartition(".")[2].partition("[")[0], value):
            where = f"{source}: " if source else ""
            raise ZooError(f"{where}{key} is {value}, which is not in bounds: {problem}")


def _problem(name: str, value: float) -> str:
    """Return what to do about a number, or nothing."""
    if not math.isfinite(value):
        return "write a finite number"
    if name in _UNLIMITED and value == _NO_LIMIT:
        return ""
    if name in _ABOVE_ZERO and value <= 0:
        return "write a number above 0"
    ending = name[name.rfind("_") :] if "_" in name else name
    least, most = _RANGES.get(name) or _ENDINGS.get(ending) or (-math.inf, math.inf)
    return "" if least <= value <= most else f"write a number from {least:,} to {most:,}"
