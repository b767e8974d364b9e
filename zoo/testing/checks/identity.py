"""What a method is: an anomalib model with a name of its own and a card, that names no object."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anomalib.models import AnomalibModule

from zoo.methods import registry
from zoo.recipes.files import check_object_free, recipes_for
from zoo.testing.isolation import NetworkTouched
from zoo.testing.method_under_test import MethodUnderTest
from zoo.testing.objects import OBJECT_NAMES, names_object
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml


def is_a_model(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a class that anomalib cannot use."""
    try:
        kind = under_test.method_class
    except NetworkTouched as touched:
        yield f"importing it reaches for {touched}; import nothing that downloads"
        return
    if not isinstance(kind, type) or not issubclass(kind, AnomalibModule):
        yield (
            f"{under_test.class_path} is no AnomalibModule; derive it, as in "
            "class MyMethod(ZooMethod, AnomalibModule)"
        )
    elif missing := sorted(kind.__abstractmethods__):
        yield f"{kind.__name__} lacks {', '.join(missing)}; define what AnomalibModule asks for"
    elif "<locals>" in kind.__qualname__:
        yield f"{kind.__name__} is defined in a function; define it in a module, for recipes"


def has_its_own_name(under_test: MethodUnderTest) -> Iterator[str]:
    """Find other models of the same name, in whatever case: anomalib's get_model ignores it."""
    own = under_test.method_class
    others = {
        f"{other.__module__}.{other.__qualname__}"
        for other in _subclasses(AnomalibModule)
        if other.__name__.lower() == own.__name__.lower() and not _same(other, own)
    }
    others |= {
        f"{method.target} of {method.distribution}"
        for method in registry.methods().values()
        if method.class_name.lower() == own.__name__.lower()
        and (under_test.registered is None or method.name != under_test.registered.name)
    }
    for other in sorted(others):
        yield (
            f"{other} has the name too, and --model {own.__name__} no longer says which; rename "
            f"the class, say Zoo{own.__name__}"
        )


def has_a_card(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a missing registration, or what is wrong with the card."""
    if under_test.registered is None:
        yield (
            f"no entry point leads to {under_test.class_path}; add one to "
            f'[project.entry-points."{registry.GROUP}"] and install the package'
        )
    elif under_test.registered.problem:
        yield under_test.registered.problem


def names_no_object(under_test: MethodUnderTest) -> Iterator[str]:
    """Find texts that are an object's name, in Python files and recipes."""
    own = under_test.method_class
    files = _own_files(own)
    for path in files:
        if path.suffix == ".py":
            for line, text in _object_literals(path):
                yield (
                    f"{path}:{line} names the object {text!r}; one method and one configuration "
                    "serve all objects: take it out"
                )
    recipes = [path for path in files if path.suffix in {".yaml", ".yml"}]
    recipes += [recipe.path for recipe in recipes_for(own.__name__)]
    for path in recipes:
        try:
            check_object_free(read_yaml(path), OBJECT_NAMES)
        except ZooError as error:
            yield f"{path}: {error}"


def _subclasses(family: Any) -> Iterator[type]:
    for child in family.__subclasses__():
        yield child
        yield from _subclasses(child)


def _same(one: type, other: type) -> bool:
    """Whether two classes are one; a module that was loaded twice counts as one."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)


def _own_files(method_class: type) -> list[Path]:
    """Return the files of a method without cards, which may name the data of a publication."""
    file = Path(inspect.getfile(method_class))
    module = inspect.getmodule(method_class)
    if module is None or not module.__package__:  # its folder is site-packages, and not its own
        return [file]
    paths = [path for path in sorted(file.parent.rglob("*")) if path.is_file()]
    return [path for path in paths if not path.name.endswith("card.yaml")]


def _object_literals(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every literal that as a whole is an object's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Constant) and isinstance(value, str) and names_object(value):
            yield node.lineno, value
