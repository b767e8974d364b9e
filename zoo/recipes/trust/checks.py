"""Checks of what strangers give: the plain data of a recipe, and checkpoints."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from zoo.recipes.trust.allowed import REPAIR, Refused, resolve
from zoo.utils.errors import ZooError, one_line
from zoo.utils.plain_yaml import leaves

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)
# Keys whose plain text is short for a class_path.
_SHORT_FORMS = {"model", "data", "optimizer", "lr_scheduler"}
_FILES = (".yaml", ".yml", ".json")  # that hold such a section: the parser hands them over as well
# Of a network, as in s3://x, or of timm's models from elsewhere.
_ADDRESS = re.compile(r"\w[\w+.-]+::?//|(hf[-_]hub|local-dir):", re.IGNORECASE)


@contextmanager
def trusting(yes: bool = True) -> Iterator[None]:
    """Check no recipe and no checkpoint inside the block, as `--trust` does; False changes nothing.

    Example:
        >>> with trusting():
        ...     is_trusting()
        True
    """
    token = _trusting.set(yes or _trusting.get())
    try:
        yield
    finally:
        _trusting.reset(token)


def is_trusting() -> bool:
    """Whether recipes and checkpoints are used without a check."""
    return _trusting.get()


def check_recipe(data: Any, source: object) -> None:
    """Raise when a recipe names, reads or writes what a stranger's must not.

    Args:
        data: The recipe, or a part of one, as plain data. The same data must go to the parser.
        source: The file that it comes from, for the error.

    Raises:
        ZooError: The first such value, with its place.
    """
    if is_trusting():
        return
    for key, value in leaves(data):
        if isinstance(value, str) and (problem := _problem(key, value)):
            raise ZooError(f"recipe {source}: {key!r} {problem}")


def _problem(key: str, text: str) -> str:
    """Return what speaks against a text, or nothing."""
    last = key.rpartition(".")[2]
    if _ADDRESS.match(text.strip()):
        return f"is an address, {text[:60]!r}: fetch it yourself and name the file, or {REPAIR}"
    if last == "output_dir" or (last == "default_root_dir" and _is_elsewhere(text)):
        return (
            f"says where to write, {text[:60]!r}: take it out and type --default_root_dir, "
            f"or {REPAIR}"
        )
    name = text.strip()
    is_short = key.removeprefix("train.") in _SHORT_FORMS and not name.endswith(_FILES)
    is_class = (last == "class_path" or is_short) and "." in name
    if is_class and all(part.isidentifier() for part in name.split(".")):
        try:
            resolve(name)
        except Refused as error:
            return f"names {error}"
        except AttributeError:  # the parser says it better
            return ""
    return ""


def _is_elsewhere(text: str) -> bool:
    """Whether a folder does not lie below the one that a person works in."""
    windows = PureWindowsPath(text)
    absolute = PurePosixPath(text).is_absolute() or windows.anchor or text.startswith("~")
    return bool(absolute) or ".." in windows.parts


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
                f"which can run anything: {REPAIR}"
            )
