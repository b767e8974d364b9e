"""Which published row a method's recipe mimics, and where that recipe is."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.methods.registry import find, methods
from zoo.recipes.files import PAPER_RECIPE, Recipe, find_recipe, method_of, recipe_names
from zoo.results.aggregate import Entry
from zoo.results.published import published
from zoo.utils.errors import ZooError, nearest


def paper_recipe(method: str) -> Recipe:
    """Return the recipe that mimics the published row of a method.

    Args:
        method: A method's name or class, or a recipe file of one's own.

    Raises:
        ZooError: No such method, or it has no such recipe.
    """
    if Path(method).suffix in (".yaml", ".yml"):
        return find_recipe(method)
    name = find(method).name
    wanted = f"{name}/{PAPER_RECIPE}"
    if wanted not in recipe_names():
        have = [each.partition("/")[0] for each in paper_recipes()]
        others = f"; those that have one: {', '.join(have)}" if have else ""
        raise ZooError(f"method '{name}' has no recipe '{wanted}': write one{others}")
    return find_recipe(wanted)


def paper_recipes() -> list[str]:
    """Return the names of all packaged recipes that mimic a published row."""
    return [name for name in recipe_names() if name.endswith(f"/{PAPER_RECIPE}")]


def published_row(recipe: Recipe, row: str | None = None) -> Entry:
    """Return the published SegF1 that a recipe is measured against.

    Args:
        recipe: A recipe.
        row: Name of the row, where neither name nor title of the method tell it.

    Raises:
        ZooError: There is no such row.
    """
    rows = {_key(each.method): each for each in published("SegF1")}
    names = [each.method for each in rows.values()]
    if row is not None:
        if _key(row) not in rows:
            raise ZooError(f"no published row '{row}'{nearest(row, names)}")
        return rows[_key(row)]
    for candidate in _names(recipe):
        if _key(candidate) in rows:
            return rows[_key(candidate)]
    raise ZooError(f"no published row for {recipe.name}: name it with --row, {', '.join(names)}")


def published_au_pro(row: Entry, size: str = "256") -> Entry | None:
    """Return the published AU-PRO_0.05 of a row, at the input size where several are."""
    found = {each.method: each for each in published("AU-PRO_0.05")}
    return found.get(f"{row.method} @{size}", found.get(row.method))


def _names(recipe: Recipe) -> list[str]:
    class_name = method_of(recipe)
    found = [method for method in methods().values() if method.class_name == class_name]
    names = [recipe.name.partition("/")[0], class_name.removeprefix("Zoo"), class_name]
    for method in found:
        names += [method.name, *([method.card.title] if method.card else [])]
    return names


def _key(name: str) -> str:
    """Return a name without what spellings differ in: `RD++` is rdpp, `PatchCore` patchcore."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "p"))
