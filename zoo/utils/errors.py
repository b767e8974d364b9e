"""The error type for users: what went wrong, where, and how to repair it, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from zoo.utils.text import printable

_MOST_TO_LIST = 12  # longer lists help nobody


class ZooError(Exception):
    """An error for users; the command line prints its one line and nothing else."""

    def __str__(self) -> str:
        """Return the line, also of an error that a data worker sent wrapped in its traceback."""
        name = f"{type(self).__module__}.{type(self).__qualname__}: "
        return printable(super().__str__().rpartition(name)[2].rstrip())


class ZooWarning(UserWarning):
    """A warning for users, in one line like `ZooError`."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest valid name, or all if they are few.

    Example:
        >>> nearest("lsit", ["list", "show"])
        "; did you mean 'list'?"
        >>> nearest("xyz", ["list", "show"])
        '; choose from list, show'
    """
    valid = sorted(set(valid))
    lowered = {word.lower(): word for word in valid}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{lowered[close[0]]}'?"
    few = 0 < len(valid) <= _MOST_TO_LIST
    return f"; choose from {', '.join(valid)}" if few else ""


def one_line(error: BaseException, limit: int = 300) -> str:
    r"""Return an error of any kind as one line; others than ours get their type in front.

    Example:
        >>> one_line(ValueError("a\n  b"))
        'ValueError: a b'
    """
    text = printable(" ".join(str(error).split()))
    text = text if len(text) <= limit else f"{text[:limit]}..."
    return text if isinstance(error, ZooError) else f"{type(error).__name__}: {text}".rstrip(": ")
