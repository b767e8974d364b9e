"""No object of a data set is named: not in the code of a method, not in its recipes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from zoo.recipes.files import check_object_free, recipes_for
from zoo.testing.method_under_test import MethodUnderTest
from zoo.testing.objects import OBJECT_NAMES, names_object
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml


def names_no_object(subject: MethodUnderTest) -> Iterator[str]:
    """Find texts that are an object's name, in Python files and recipes."""
    own = subject.method_class
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


def _own_files(method_class: type) -> list[Path]:
    """Return what stands in the folder of a method's package, or its file if it is a single one.

    Cards are left out: they may say what a method was published on.
    """
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
