"""Names that become file names: of an object, a recipe, a split, an image's stem.

A name may hold any Unicode, and bytes that are no UTF-8 as Python keeps them (surrogateescape).
"""

from __future__ import annotations

import hashlib
import os
import unicodedata

from zoo.utils.errors import ZooError

MAX_BYTES = 255  # of one name on every common file system


def problem_of(name: object) -> str | None:
    """Return why a value cannot be a name, or None for a name.

    Example:
        >>> problem_of("a photo.7"), problem_of("../x")
        (None, 'holds a separator')
    """
    if not isinstance(name, str):
        return f"is {type(name).__name__}, not text"
    if not name.strip():
        return "is empty"
    if name in {".", ".."}:
        return "stands for a folder"
    if "/" in name or "\\" in name:
        return "holds a separator"
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return "holds a control character"
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return "is no text that a file system can hold"
    return f"is longer than {MAX_BYTES} bytes" if size > MAX_BYTES else None


def shortened(name: str, n_bytes: int) -> str:
    """Return a name without suffix in at most `n_bytes` (20 or more); a hash replaces the rest."""
    if len(os.fsencode(name)) <= n_bytes:
        return name
    encoded = name.encode("utf-8", "surrogatepass")
    mark = f"~{hashlib.sha256(encoded).hexdigest()[:8]}"
    while len(os.fsencode(name)) > n_bytes - len(mark):
        name = name[:-1]
    return name + mark


def check_name(name: object, what: str, source: object = "") -> str:
    """Return a name that is safe as one part of a path.

    Args:
        name: The value, of whatever type a file held.
        what: What it names, such as "object".
        source: The file that it comes from, for the error.

    Raises:
        ZooError: It is no name, see `problem_of`.
    """
    if problem := problem_of(name):
        where = f"{source}: " if source else ""
        raise ZooError(f"{where}{what} {str(name)[:80]!r} {problem}: give it a plain name")
    return str(name)


def check_recipe_name(name: object, source: object = "") -> str:
    """Return the name of a recipe: names joined by `/`, such as `patchcore/embedded`.

    Raises:
        ZooError: One of its parts is no name.
    """
    parts = name.split("/") if isinstance(name, str) else [name]
    for part in parts:
        check_name(part, "recipe", source)
    return str(name)
