"""Paths as recipes write them, with `$VARIABLE` and `~`, so that a recipe fits every machine."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "ANOMALIB_ZOO_CACHE"  # the folder of the image cache; empty: no cache


def expand_path(text: str | Path) -> Path:
    """Return the path that a text of a recipe means; unknown variables stay as they are."""
    return expand_home(os.path.expandvars(text))


def expand_home(text: str | os.PathLike[str]) -> Path:
    """Return a path in which a leading `~` alone is the home; `~7.png` is a file of that name."""
    path = Path(text)
    return path.expanduser() if path.parts[:1] == ("~",) else path
