"""Calibration rules as people write them: `Quantile(q=0.9999, min_area_px=20)`.

Only names and plain values are read; nothing that is written is run.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Any, Literal, get_args, get_origin, get_type_hints

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules import Rule
from zoo.utils.errors import ZooError, nearest, one_line

RULES = "anomalib_zoo.rules"  # entry points of other packages' rules
_LIKE = "write it like Quantile(q=0.9999, min_area_px=20)"
_KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
_MOST_SHOWN = 60  # characters of a text that cannot be read


def parse_rule(text: str) -> Rule:
    """Return the rule that a text describes; a bare name, in any case, takes the defaults.

    Raises:
        ZooError: It is no such text, or rule, parameter or value do not exist.
    """
    node: ast.expr | None
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        node = None
    if isinstance(node, ast.Name):
        return _make(node.id, {})
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise ZooError(f"the rule '{text[:_MOST_SHOWN]}' cannot be read: {_LIKE}")
    values = {word.arg: _literal(word) for word in node.keywords if word.arg}
    if node.args or len(values) < len(node.keywords):
        raise ZooError(f"the rule '{text[:_MOST_SHOWN]}' must name each value once: {_LIKE}")
    return _make(node.func.id, values)


def rule_of(calibration: Calibration) -> Rule:
    """Return the rule that set a calibration's numbers, with its parameters.

    Raises:
        ZooError: No rule did, or this version does not know it.
    """
    try:
        return _make(calibration.rule, calibration.parameters)
    except ZooError as error:
        raise ZooError(f"the rule of the last calibration: {error}; --rule takes another") from None


def load_installed_rules() -> list[str]:
    """Import the rules of other packages; return what is wrong with those that fail.

    A package names the classes of its rules in its entry points::

        [project.entry-points."anomalib_zoo.rules"]
        MyRule = "my_package:MyRule"
    """
    problems = []
    for entry in entry_points(group=RULES):
        try:
            entry.load()
        except (Exception, SystemExit) as error:
            problems.append(f"rule '{entry.name}' of {entry.value} is left out: {one_line(error)}")
    return problems


def _make(name: str, parameters: Mapping[str, Any]) -> Rule:
    problems = load_installed_rules()
    kinds: dict[str, type[Rule]] = {
        kind.__name__: kind for kind in _subclasses(Rule) if not inspect.isabstract(kind)
    }
    lowered = {known.lower(): kind for known, kind in kinds.items()}
    if name.lower() not in lowered:
        raise ZooError("; ".join([f"there is no rule '{name}'{nearest(name, kinds)}", *problems]))
    kind = lowered[name.lower()]
    names = [field.name for field in fields(kind)]
    for parameter, value in parameters.items():
        if parameter not in names:
            near = nearest(parameter, names)
            raise ZooError(f"{kind.__name__} has no parameter '{parameter}'{near}")
        if objection := _objection(value, get_type_hints(kind)[parameter]):
            raise ZooError(f"{kind.__name__}: {parameter} is {value!r}, {objection}")
    try:
        return kind(**parameters)
    except (TypeError, ValueError) as error:  # a parameter that has no default is missing
        raise ZooError(f"{kind.__name__}: {error}") from error


def _literal(word: ast.keyword) -> Any:
    if isinstance(word.value, ast.Name):  # limit=mass
        return word.value.id
    try:
        return ast.literal_eval(word.value)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        shown = ast.unparse(word.value)[:_MOST_SHOWN]
        raise ZooError(f"'{word.arg}={shown}' gives no plain value: {_LIKE}") from None


def _objection(value: Any, kind: Any) -> str:
    """Return what is wrong with a value; those that are not plain the rule checks itself."""
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return "" if value in choices else f"choose from {', '.join(map(str, choices))}"
    if kind not in _KINDS:
        return ""
    fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if isinstance(value, bool):
        fits = kind is bool
    return "" if fits else f"it must be {_KINDS[kind]}"


def _subclasses(family: type) -> Iterator[type[Any]]:
    children: list[type[Any]] = family.__subclasses__()
    for child in children:
        yield child
        yield from _subclasses(child)
