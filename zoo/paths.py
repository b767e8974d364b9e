"""Paths as recipes write them, with `$VARIABLE` and `~`, so that a recipe fits every machine."""

from __future__ import annotations

import os
from pathlib import Path


def written_path(text: str | Path) -> Path:
    """Return the path that a text of a recipe means; unknown variables stay as they are."""
    path = Path(os.path.expandvars(text))
    return path.expanduser() if path.parts[:1] == ("~",) else path
