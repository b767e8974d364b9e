"""Names of a package that are imported on first use, so that importing the package stays light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Type checkers cannot see these names: the package imports them under `TYPE_CHECKING` as well.

    Args:
        package: Its `__name__`.
        places: {name: module that has it}.
    """

    def getattr_(name: str) -> Any:
        if name in places:
            return getattr(import_module(places[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return getattr_
