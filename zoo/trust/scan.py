"""Collects the dotted names of recipes, wherever they stand, without importing anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.trust.names import Name


class Scan:
    """Collects the dotted names of recipes, of files they name, and of YAML inside their texts."""

    def __init__(self) -> None:
        self.names: list[Name] = []
        self._read: set[tuple[Path, tuple[Path, ...]]] = set()
        # Kept by reference: YAML may hold itself, and ids are only unique among the living.
        self._walked: dict[int, Any] = {}

    def file(self, path: Path, folders: tuple[Path, ...]) -> None:
        """Collect from a file; one that the parser cannot read either is left to it."""
        path = path.absolute()
        folders = tuple(dict.fromkeys((*folders, path.parent)))
        if (path, folders) in self._read:
            return
        self._read.add((path, folders))
        try:
            with path.open() as lines:  # in the encoding of the parser; binary files end early
                text = "".join(lines)
        except (OSError, UnicodeDecodeError):
            return
        source = f"recipe {_shown(path)}"
        self._yaml(text, "", source, folders)
        for number, line in enumerate(text.splitlines(), start=1):
            self._name(line, f"line {number}", source, folders)  # lists may be plain lines

    def value(self, value: Any, key: str, source: str, folders: tuple[Path, ...]) -> None:
        """Collect from plain data."""
        if isinstance(value, str):
            self._text(value, key, source, folders)
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in self._walked:
            self._walked[id(value)] = value
            if isinstance(value, Mapping):
                inner = [(f"{key}.{name}" if key else str(name), value[name]) for name in value]
            else:
                inner = [(f"{key}[{index}]", item) for index, item in enumerate(value)]
            for name, item in inner:
                self.value(item, name, source, folders)

    def _text(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        self._name(text, key, source, folders)
        for path in files_meant_by(text, folders):
            self.file(path, folders)
        if not re.fullmatch(r"[\w./\\-]*", text):
            self._yaml(text, key, source, folders)

    def _name(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        name = text.strip()
        if "." in name and all(part.isidentifier() for part in name.split(".")):
            self.names.append(Name(name, key, source, folders))

    def _yaml(self, text: str, key: str, source: str, folders: tuple[Path, ...]) -> None:
        """Collect from YAML as the parser reads it; text that is none is not read as such."""
        from jsonargparse._loaders_dumpers import yaml_load
        from yaml import YAMLError

        try:
            data = yaml_load(text)
        except (YAMLError, ValueError):
            return
        if not isinstance(data, str):
            self.value(data, key, source, folders)


def files_meant_by(text: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that the parser could mean by a text."""
    text = re.sub(r"^file:///?", "" if os.name == "nt" else "/", text)
    for folder in folders if text else ():
        try:
            path = folder / Path(text).expanduser()
            if path.is_file():
                yield path
        except (OSError, ValueError, RuntimeError):  # a text that cannot be a path
            continue


def _shown(path: Path) -> Path:
    """Return a path as people would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
