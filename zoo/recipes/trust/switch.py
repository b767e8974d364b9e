"""Whether recipes and checkpoints are checked: yes, unless somebody who has looked says no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


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
