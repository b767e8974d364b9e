"""Trust: what a recipe may name and a checkpoint may hold, checked before either is used.

Building what a recipe names is running it. The parser imports every dotted path, at `class_path`
and wherever a class, a function or a type is expected, and reads the files that a recipe names. So
recipes may name what zoo, the registered methods and the packages of `PACKAGES` define, and of
these only what models, data and training are made of: `torch.hub.load` is torch's, and runs what a
stranger wrote. Names are judged first and nothing is imported for it; then the trusted ones are
resolved, since `torch.os.system` is not torch's.

What a person types is the person's own and not checked, except for files. This is a lock on the
door, not a sandbox; `--trust` opens it for those who have looked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.trust.checkpoints import check_checkpoint
from zoo.trust.names import PACKAGES, judge
from zoo.trust.scan import Scan, files_meant_by
from zoo.trust.switch import is_trusting, trusting

__all__ = [
    "PACKAGES",
    "check_checkpoint",
    "check_trusted",
    "check_words",
    "is_trusting",
    "trusting",
]


def check_trusted(source: str | Path | Mapping[str, Any]) -> None:
    """Raise when a recipe, or a file that it names, names what recipes may not.

    Args:
        source: The recipe's path, or the recipe as plain data.

    Raises:
        ZooError: The first such name, with its place.
    """
    if is_trusting():
        return
    scan = Scan()
    if isinstance(source, str | Path):
        scan.file(Path(source), (Path.cwd(),))
    else:
        scan.value(source, "", "recipe", (Path.cwd(),))
    judge(scan.names)
    _read_local_files_only()


def check_words(words: Sequence[str]) -> None:
    """Check every file that a command line names; its other words are its author's own.

    Raises:
        ZooError: As `check_trusted`.
    """
    if is_trusting():
        return
    if os.environ.get("JSONARGPARSE_DEFAULT_ENV", "").lower() == "true":
        words = [*words, *os.environ.values()]  # the parser then takes options from there too
    scan, here = Scan(), (Path.cwd(),)
    for word in words:
        # As in `--data x.yaml`, `--data=x.yaml` and `-cx.yaml`.
        for text in (word, word.partition("=")[2], word[2:] if word.startswith("-") else ""):
            for path in files_meant_by(text, here):
                scan.file(path, here)
    judge(scan.names)
    _read_local_files_only()


def _read_local_files_only() -> None:
    """Let the parser read no configurations from the network: those cannot be looked at first."""
    import lightning.pytorch.cli  # noqa: F401 - importing it is what switches the network on

    try:
        from jsonargparse import set_parsing_settings

        set_parsing_settings(config_read_mode_fsspec_enabled=False)
    except (ImportError, TypeError):  # an older jsonargparse
        from jsonargparse import set_config_read_mode

        set_config_read_mode(fsspec_enabled=False)
