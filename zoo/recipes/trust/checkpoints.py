"""Checkpoints of strangers: weights and plain values only."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.recipes.trust.allowed import MEND
from zoo.recipes.trust.switch import is_trusting
from zoo.utils.errors import ZooError, one_line


def check_checkpoint(path: str | Path, allowed: Sequence[Any] = ()) -> None:
    """Raise when loading a checkpoint could run code that it holds or names.

    Lightning reads with torch's default, which TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 turns unsafe, and
    `load_from_checkpoint` builds whatever plain text beside an `_instantiator` says.

    Args:
        path: The file; one that is missing is left to its reader.
        allowed: Types that may be in it besides anomalib's, as `checkpoint_safe_globals` has them.

    Raises:
        ZooError: The file holds more than weights and plain values, or names an instantiator.
    """
    if is_trusting() or not Path(path).is_file():
        return
    import torch

    from zoo.data.anomalib_internals import anomalib_safe_globals

    try:
        with anomalib_safe_globals(extra=allowed):
            # Mapped, so that what is not looked at is not read.
            held = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except Exception as error:  # a foreign file may fail in any way
        named = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it calls for {named[1]}" if named else one_line(error, 40)
        raise ZooError(
            f"checkpoint {path} holds more than weights and plain values ({reason}); "
            "no code of it was run: use another file"
        ) from error
    parts = held.values() if isinstance(held, Mapping) else ()
    for part in parts:
        if isinstance(part, Mapping) and "_instantiator" in part:
            raise ZooError(
                f"checkpoint {path} says how to build its model ({part['_instantiator']!r}), "
                f"which can run anything: {MEND}"
            )
