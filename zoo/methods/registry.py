"""The methods that are installed, found through their entry points without importing one of them.

[project.entry-points."anomalib_zoo.methods"]
my_method = "my_package:MyMethod"
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path

from zoo.methods.card import Card, read_card
from zoo.utils.errors import ZooError, nearest

GROUP = "anomalib_zoo.methods"
# Comma-separated names: only these methods are seen, none when it is set to nothing.
ONLY = "ANOMALIB_ZOO_METHODS"


@dataclass(frozen=True)
class Method:
    """One registered method; `problem` says in one line why its card or module is unusable."""

    name: str
    target: str
    class_name: str
    distribution: str
    version: str
    card: Card | None
    problem: str | None


def methods() -> dict[str, Method]:
    """Return the registered methods by name, sorted; read anew at every call."""
    return {name: _describe(entry) for name, entry in sorted(_entries().items())}


def find(name: str) -> Method:
    """Return the method of that entry name or, failing that, of that class name."""
    known = methods()
    if name in known:
        return known[name]
    same = [method for method in known.values() if method.class_name == name]
    if len(same) == 1:
        return same[0]
    if same:
        choice = " or ".join(method.name for method in same)
        raise ZooError(f"several methods have a class {name}; say {choice}")
    hint = nearest(name, [*known, *(method.class_name for method in known.values())])
    if (only := os.environ.get(ONLY)) is not None:
        hint += f"; the environment limits methods to {ONLY}='{only}'"
    raise ZooError(f"there is no method '{name}'{hint or '; none is installed'}")


def recipe_folders() -> dict[str, Path]:
    """Return the folders of recipes that packages have beside their classes, by method.

    `recipes/<method>/` of the class's folder, or `recipes/` itself where that is not there.
    """
    return _recipe_folders(tuple(sys.path), os.environ.get(ONLY))


@cache  # reading all entry points takes some 20 ms
def _recipe_folders(path: tuple[str, ...], only: str | None) -> dict[str, Path]:
    folders = {}
    for name, entry in sorted(_entries().items()):
        try:
            folder = _module_file(entry.module.strip()).parent / "recipes"
        except ZooError:  # a problem of its package, which `zoo list` shows
            continue
        own = folder / name if (folder / name).is_dir() else folder
        if own.is_dir():
            folders[name] = own
    return folders


def load(name: str) -> type:
    """Import a method's class, by entry name or class name."""
    return _import(find(name))


def load_all() -> tuple[list[type], list[tuple[str, str]]]:
    """Import all methods and rules; return classes, and (name, reason) of methods that fail."""
    from zoo.postprocess.rules.text import load_installed_rules  # imports numpy

    load_installed_rules()  # naming one that fails is an error of its own
    classes: list[type] = []
    failed: list[tuple[str, str]] = []
    for method in methods().values():
        try:
            classes.append(_import(method))
        except ZooError as error:
            failed.append((method.name, str(error)))
    return classes, failed


def _import(method: Method) -> type:
    """Import the class; whatever a foreign module raises becomes one line."""
    try:
        loaded = EntryPoint(method.name, method.target, GROUP).load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise ZooError(
            f"method '{method.name}' of {method.distribution} cannot be imported ({reason}); "
            f"see `zoo doctor {method.name}`"
        ) from error
    if not isinstance(loaded, type):
        raise ZooError(f"method '{method.name}' of {method.distribution} is not a class")
    return loaded


def _entries() -> dict[str, EntryPoint]:
    """Return the entry points to use; one name must not belong to two distributions."""
    only = os.environ.get(ONLY)
    names = None if only is None else {name.strip() for name in only.split(",")}
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if names is not None and entry.name not in names:
            continue
        first = entries.setdefault(entry.name, entry)
        # One distribution may be seen twice through sys.path; the first is what Python imports.
        if _canonical(first) != _canonical(entry):
            raise ZooError(
                f"two packages offer a method '{entry.name}': {_distribution(first).name} "
                f"({first.value}) and {_distribution(entry).name} ({entry.value}); uninstall one"
            )
    return entries


def _canonical(entry: EntryPoint) -> str:
    """Return the name of the entry point's distribution in the one spelling that PyPI uses."""
    return re.sub(r"[-_.]+", "-", _distribution(entry).name).lower()


def _distribution(entry: EntryPoint) -> Distribution:
    assert entry.dist is not None  # `entry_points` sets it
    return entry.dist


def _describe(entry: EntryPoint) -> Method:
    """Return the entry point as a method; a problem is noted, never raised."""
    module, _, attribute = entry.value.partition(":")
    class_name = attribute.partition("[")[0].strip().rpartition(".")[2]
    card = problem = None
    try:
        if not class_name:
            raise ZooError(f"entry point '{entry.value}' has no class; write it as 'module:Class'")
        card = read_card(_card_file(_module_file(module.strip())))
        if card.name != entry.name:
            problem = f"its card calls it '{card.name}'; use the entry point's '{entry.name}' there"
    except ZooError as error:
        problem = str(error)
    dist = _distribution(entry)
    return Method(entry.name, entry.value, class_name, dist.name, dist.version, card, problem)


def _module_file(module: str) -> Path:
    """Return the file of a module without running any code, not even that of its packages."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        for part in rest:
            # Looked up by its last name in its parent's folders: a dotted name imports the parent.
            folders = spec.submodule_search_locations if spec else None
            spec = PathFinder.find_spec(part, list(folders)) if folders else None
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.has_location or spec.origin is None:
        raise ZooError(
            f"there is no module '{module}'; reinstall the package or repair its entry point"
        )
    return Path(spec.origin)


def _card_file(module_file: Path) -> Path:
    """Return the card of a module: in its folder, for a single file also `<module>.card.yaml`."""
    folder, own = module_file.parent, module_file.with_suffix(".card.yaml")
    if module_file.stem != "__init__" and own.is_file():
        return own
    if not (folder / "card.yaml").is_file():
        raise ZooError(f"there is no card; write {folder / 'card.yaml'} (see plugins/README.md)")
    return folder / "card.yaml"
