"""Reads small files: bounded JSON, then a dataclass whose annotations pydantic checks.

Dataclasses annotate their fields with the types below, or with `Literal` and other dataclasses. An
error names the file, the field, the value and the repair, in one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError

from zoo.utils.errors import ZooError
from zoo.utils.names import problem_of
from zoo.utils.paths import read_bounded
from zoo.utils.text import printable

T = TypeVar("T")

REPAIR = "copy it again"
MAX_BYTES = 64 << 20  # of one JSON file; ours stay below one MB
_MAX_COUNT = 2**53  # integers that JSON readers of every language agree on


def _file_name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("Input should be text")
    return value


def _text(value: object) -> str:
    return printable(_file_name(value))


def _name(value: object) -> str:
    if problem := problem_of(value):
        raise ValueError(f"a name that {problem} is none")
    return str(value)


def _digest(value: object) -> str:
    if not (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)):
        raise ValueError("Input should be the 64 hex digits of a SHA-256")
    return value


def _names(value: object) -> str:
    return "/".join(map(_name, value.split("/"))) if isinstance(value, str) else _name(value)


# Number and Count are strict: true is no 1, and "5" is no 5.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NonNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[int, Field(strict=True, ge=0, le=_MAX_COUNT)]
# Of images, in pixels: their sides, their areas. No image that can be opened has more.
Length = Annotated[Count, Field(le=1 << 16)]
Area = Annotated[Count, Field(le=1 << 31)]
Flag = Annotated[bool, Field(strict=True)]
# Plain validators: pydantic's own text type refuses bytes of file names that are no UTF-8.
Text = Annotated[str, PlainValidator(_text)]  # one line for terminals, see `zoo.utils.text`
FileName = Annotated[str, PlainValidator(_file_name)]  # as it is, to be compared
Digest = Annotated[str, PlainValidator(_digest)]
Name = Annotated[str, PlainValidator(_name)]
RecipeName = Annotated[str, PlainValidator(_names)]  # names joined by `/`


def read_json(path: str | Path, repair: str = REPAIR) -> Any:
    """Return what a JSON file holds, as plain data; `repair` ends the error.

    Raises:
        ZooError: The file is missing, too large, not UTF-8 or no JSON, or it repeats a key or
            holds NaN or Infinity.
    """
    return parse_json(read_bounded(path, MAX_BYTES, repair), path, repair)


def parse_json(text: str | bytes, source: object, repair: str = REPAIR) -> Any:
    """Return what a JSON text holds, as plain data; arguments and errors as `read_json`."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ZooError(f"{source} is no valid JSON ({reason[:120]}): {repair}") from error


def validated(kind: type[T], data: Any, source: object, repair: str = REPAIR) -> T:
    """Return plain data as a dataclass whose annotations hold.

    Args:
        kind: A dataclass, or any type that pydantic checks.
        data: Plain data. Unknown keys are ignored unless `__pydantic_config__` forbids them.
        source: The file that it comes from, for the error.
        repair: How to repair it, for the error.

    Raises:
        ZooError: The first field that does not hold, with its value.
    """
    adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type] # every type is hashable
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise ZooError(f"{source}: {_reason(error)}: {repair}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _reason(error: ValidationError) -> str:
    """Return the first problem as `size.0 is -3, it should be greater than or equal to 0`."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    if first["type"] in {"missing", "missing_argument"}:
        return f"{place} is missing"
    if first["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        return f"{place!r} is no field of it"
    if first["type"] in {"dataclass_type", "dict_type"}:
        return f"{place} should be fields with values, not {type(first['input']).__name__}"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    if isinstance(first["input"], Mapping | list | tuple):
        return f"{place}: {message[:1].lower()}{message[1:]}"
    return f"{place} is {str(first['input'])[:60]!r}, {message[:1].lower()}{message[1:]}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"it has the key {key[:60]!r} twice")
        mapping[key] = value
    return mapping


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number that JSON knows")
