"""Turns jsonargparse's nested error text into one line: which key, what is wrong, what is valid."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from anomalib.data import AnomalibDataModule
from anomalib.models import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from jsonargparse import ArgumentParser

from zoo.postprocess.rules import Rule
from zoo.recipes.trust.allowed import REPAIR, Refused, resolve
from zoo.utils.errors import nearest

_CLASS_FAMILIES = (AnomalibModule, AnomalibDataModule, Rule, PostProcessor, PreProcessor)


def readable(error: Exception, parser: ArgumentParser | None) -> str:
    """Return the one line that a person needs from a parser's error.

    Args:
        error: What jsonargparse raised.
        parser: The verb's parser, for the names of its options.
    """
    text = str(error)
    key = ".".join(re.findall(r'Parser key "([^"]+)"', text))
    where = f"{key}: " if key else ""
    options = _options(parser)

    if found := re.search(rf"'[\w.]+'(?: of package '\w+')?, which [^\n]*?: {REPAIR}", text):
        return f"{where}the recipe names {found[0]}"
    if found := re.search(r"there is no '([\w.]+)'", text):
        near = nearest(found[1].rpartition(".")[2], _class_names())
        return f"{where}{found[0]}{near if near.startswith('; did') else ''}"
    if raised := _raised_by_constructor(text):
        return raised
    if found := re.search(r"class_path '[^']+':\s+Option '(\w+)' is required", text):
        return f"{where}no {found[1]} given: add --{key or 'data'}.{found[1]} VALUE"
    if re.search(r"Problem with given class_path '([^']+)':\s+Option '([^']+)'", text):
        # Nested problems come outermost first; the last one is the one to repair.
        path, option = re.findall(
            r"Problem with given class_path '([^']+)':\s+Option '([^']+)'", text
        )[-1]
        name = path.rsplit(".", 1)[-1]
        return f"{where}{name} has no option '{option}'{nearest(option, _parameters(path))}"
    if names := re.findall(r"Expected a dot import path string: (\S+)", text):
        near = nearest(names[-1], _class_names())
        near = near if near.startswith("; did") else "; `zoo list` shows the methods"
        return f"{where}unknown class '{names[-1]}'{near}"
    if found := re.search(r"Group '([\w.]+)' does not accept option '([^']+)'", text):
        name = f"{found[1]}.{found[2]}"
        return f"unknown key '{name}'{nearest(name, options)}"
    if found := re.search(r"^Option '([^']+)' is not accepted", text):
        tops = {option.split(".")[0] for option in options}
        return f"unknown key '{found[1]}'{nearest(found[1].split('.')[0], tops)}"
    if found := re.search(r"Unrecognized arguments: (\S+)", text):
        name = found[1].lstrip("-").split("=")[0]
        return f"unknown argument '{found[1]}'{nearest(name, options)}"
    if found := re.search(r"Option '(?:\w+\.)?(\w+)' is required", text):
        return f"no {found[1]} given: add --{found[1]} NAME or --config RECIPE"
    if wanted := sorted(set(re.findall(r"Expected an? <class '([^']+)'>", text)) - {"NoneType"}):
        given = re.findall(r"(?:Given|Got) value: (.*)", text)
        got = f", got '{given[0].strip()}'" if given else ""
        is_number = "str" in wanted and given and re.fullmatch(r"[\d.e+-]+|True|False", given[0])
        repair = ": in a file, put quotes around it" if is_number else ""
        return f"{where}expected {' or '.join(wanted)}{got}{repair}"
    return " ".join(text.replace('Parser key "config": ', "").split())


def _raised_by_constructor(text: str) -> str:
    """Return a constructor's message, which the parser lists among types that did not match."""
    if "Errors:" not in text or "Given value: Namespace(" not in text:
        return ""
    tries = re.findall(r"^ *- (.*(?:\n(?! *- | *Given ).*)*)", text, re.M)
    messages = [one for one in tries if not one.startswith(("Expected a", "Problem with"))]
    return " ".join(messages[-1].split()) if messages else ""


def _options(parser: ArgumentParser | None) -> list[str]:
    if parser is None:
        return []
    return [
        option[2:]
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and not option.endswith((".help", "+"))
    ]


def _parameters(path: str) -> list[str]:
    try:
        return parameters(resolve(path))
    except (Refused, AttributeError):
        return []


def parameters(kind: type) -> list[str]:
    """Return the names of all arguments that a class and its parents take."""
    inits = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    names = [name for each in inits for name in inspect.signature(each).parameters]
    return [name for name in names if name not in {"self", "args", "kwargs"}]


def class_named(name: str) -> type | None:
    """Return the class of that name, without a path, of those that recipes are made of."""
    return next((kind for kind in _classes() if kind.__name__ == name), None)


def _class_names() -> set[str]:
    return {kind.__name__ for kind in _classes()}


def _classes() -> Iterable[type]:
    for family in _CLASS_FAMILIES:
        yield from _subclasses(family)


def _subclasses(family: type) -> Iterable[type]:
    child: type
    for child in family.__subclasses__():
        yield child
        yield from _subclasses(child)
