"""Reads and writes YAML as plain data, by one strict dialect.

Words are null, true, false and decimal numbers, as in YAML 1.2; all else is text, so `no`, `01` and
`12:30` stay what they are. What could run code, is ambiguous or grows without end is refused: tags,
anchors and aliases, merge keys, keys that are no text or repeated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
    SequenceStartEvent,
)

from zoo.utils.errors import ZooError
from zoo.utils.paths import read_bounded

MAX_BYTES = 1 << 20  # of one file; ours stay below 20 KB
# What people write where only a flag can be meant; elsewhere these are words like others.
FLAGS = {"yes": True, "no": False, "on": True, "off": False}
_MAX_DEPTH = 32
_MAX_DIGITS = 18  # of an integer: 64 bits hold them
_WORDS: dict[str, bool | None] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# The C parser is ten times faster; wheels of PyYAML have it, some source builds do not.
_C_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# It refuses what names that are no UTF-8 are written with: \udc80 stands for the byte 0x80.
_LONE_BYTE = re.compile(r"\\u[dD][cC][89a-fA-F]")


def read_yaml(path: str | Path) -> Any:
    """Return what a YAML file holds, as plain data: dict, list, str, int, float, bool and None.

    Raises:
        ZooError: The file cannot be read as bounded UTF-8, or is no YAML of this dialect.
    """
    return parse_yaml(read_text(path), path)


def read_text(path: str | Path) -> str:
    """Return the text of a small UTF-8 file, with or without a byte order mark.

    Raises:
        ZooError: It is missing, no plain file, too large, or in another encoding.
    """
    content = read_bounded(path, MAX_BYTES, "name a YAML file")
    if b"\0" in content:
        raise ZooError(f"{path} is UTF-16 or UTF-32: save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ZooError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def parse_yaml(text: str, source: object) -> Any:
    """Return what a YAML text of one document holds, as plain data.

    Args:
        text: The document.
        source: Where it comes from, for the error.

    Raises:
        ZooError: It is no YAML of this dialect; names the line.
    """
    loader = yaml.SafeLoader if _LONE_BYTE.search(text) else _C_LOADER
    try:
        return _Builder(yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        reason = ": ".join(filter(None, (error.context, error.problem)))
        mark = error.problem_mark or error.context_mark
        reason += f", line {mark.line + 1}" if mark else ""
        raise ZooError(f"{source}: not valid YAML ({reason}); correct that line") from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ZooError(f"{source}: not valid YAML ({reason}); correct it") from None


def dump_yaml(data: Any) -> str:
    """Return plain data as YAML that this and every other dialect reads back as it is."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def leaves(data: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of everything in nested data that is no collection.

    Example:
        >>> list(leaves({"a": {"b": [1, "x"]}}))
        [('a.b[0]', 1), ('a.b[1]', 'x')]
    """
    if isinstance(data, dict):
        for name, item in data.items():
            yield from leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(data, list | tuple):
        for index, item in enumerate(data):
            yield from leaves(item, f"{key}[{index}]")
    else:
        yield key, data


class _Builder:
    """Builds plain data from the events of a parser."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events

    def document(self) -> Any:
        """Return the value of the one document, or None where there is none."""
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    _refuse(event, "a second document begins here")
                value = self._value(next(self._events), 1)
        return value

    def _value(self, event: Event, depth: int) -> Any:
        if not isinstance(event, ScalarEvent | CollectionStartEvent) or event.anchor is not None:
            _refuse(event, "anchors and aliases are not known here, write the value out")
        if event.tag is not None:
            _refuse(event, f"the tag {event.tag[:40]!r} is not known here")
        if depth > _MAX_DEPTH:
            _refuse(event, f"it is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if isinstance(event, SequenceStartEvent):
            return [self._value(item, depth + 1) for item in self._items()]
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for event in self._items():
            if not isinstance(event, ScalarEvent) or event.anchor or event.tag:
                _refuse(event, "a key must be plain text")
            key = event.value  # as it is written: `no` and `01` are names
            if key == "<<" and not event.style:
                _refuse(event, "merge keys (<<) are not known here")
            if key in mapping:
                _refuse(event, f"the key {key[:40]!r} stands twice")
            mapping[key] = self._value(next(self._events), depth + 1)
        return mapping

    def _items(self) -> Iterator[Event]:
        """Yield the events that begin an item of the open collection, up to its end."""
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                return
            yield event


def _scalar(event: ScalarEvent) -> Any:
    text = event.value
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            _refuse(event, f"an integer of {len(text)} digits")
        return int(text)
    value = float(text) if _FLOAT.fullmatch(text) else None
    if _NOT_FINITE.fullmatch(text) or (value is not None and not math.isfinite(value)):
        _refuse(event, f"{text[:40]} is no finite number")
    return text if value is None else value


def _refuse(event: Event, reason: str) -> NoReturn:
    # The stub's error leaves out the marks of the C parser.
    raise yaml.MarkedYAMLError(problem=reason, problem_mark=event.start_mark)  # type: ignore[arg-type]


class _Dumper(yaml.SafeDumper):
    """Quotes texts that any dialect would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write no anchors."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # In other quotes these would be folded as ends of lines.
    style = '"' if set(text) & {"\x85", "\u2028", "\u2029"} else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"({_FLOAT.pattern})$"), list("-+.0123456789")
)
