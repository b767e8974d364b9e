"""What a run is recognised by: hashes of everything that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

# Where something is read from, written to or cached never changes a number.
_WITHOUT_EFFECT = {
    ("data", "init_args", "root"),
    ("data", "init_args", "good"),
    ("data", "init_args", "bad"),
    ("data", "init_args", "masks"),
    ("data", "init_args", "cache_mb"),
    ("data", "init_args", "num_workers"),
    ("default_root_dir",),
    ("trainer", "default_root_dir"),
    ("trainer", "enable_progress_bar"),
    ("logging",),
    ("config",),
    ("keep",),
}
# What may differ among the runs that make one row of a table: objects and seeds.
_OF_ONE_RUN = {
    ("data", "init_args", "category"),
    ("data", "init_args", "name"),
    ("data", "init_args", "seed"),
    ("data", "init_args", "test_split"),
    ("seed_everything",),
}


def config_hash(config: dict[str, Any], **facts: Any) -> str:
    """Return 16 hex digits of everything that decides the numbers of a run.

    Args:
        config: The full configuration; paths and settings without effect are left out.
        **facts: What else decides: object, seed, data fingerprint, versions, threads, splits.
    """
    return _hash([deciding(config), facts])


def settings_hash(config: dict[str, Any]) -> str:
    """Return 16 hex digits of the settings alone: equal for all objects and seeds of one recipe.

    Args:
        config: The full configuration.
    """
    return _hash(_without(deciding(config), _OF_ONE_RUN))


def deciding(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of a full configuration can change a number."""
    return _without(config, _WITHOUT_EFFECT)


def _hash(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without(value: Any, paths: set[tuple[str, ...]], here: tuple[str, ...] = ()) -> Any:
    """Return nested data without what stands at some paths of keys."""
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if (*here, key) not in paths}
    return {key: _without(inner, paths, (*here, key)) for key, inner in kept.items()}
