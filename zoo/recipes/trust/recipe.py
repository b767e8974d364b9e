"""Checks the plain data of a recipe: which classes it names, where it points and writes to."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from zoo.recipes.trust.allowed import MEND, Refused, resolve
from zoo.recipes.trust.switch import is_trusting
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import leaves

# Keys whose plain text is short for a class_path.
_SHORT_FORMS = {"model", "data", "optimizer", "lr_scheduler"}
_FILES = (".yaml", ".yml", ".json")  # that hold such a section: the parser hands them over as well
# Of a network, as in s3://x, or of timm's models from elsewhere.
_ADDRESS = re.compile(r"\w[\w+.-]+::?//|(hf[-_]hub|local-dir):", re.IGNORECASE)


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
        return f"is an address, {text[:60]!r}: fetch it yourself and name the file, or {MEND}"
    if last == "output_dir" or (last == "default_root_dir" and _is_elsewhere(text)):
        return (
            f"says where to write, {text[:60]!r}: take it out and type --default_root_dir, "
            f"or {MEND}"
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
