"""A method's card as markdown: idea, origin, recipes, results, differences, assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from zoo.methods.card import Card
from zoo.methods.registry import Method
from zoo.recipes.files import Recipe
from zoo.results.by_object import method_table
from zoo.results.card_text import facts, lists, vand4
from zoo.results.published import results_folder
from zoo.results.recipe_facts import ANYWHERE
from zoo.results.rows import rows_of
from zoo.utils.markdown import grid

MEASURED = "real_photographs.csv"


def card_page(method: Method, recipes: Iterable[Recipe]) -> str:
    """Return the page of a method, without its title.

    Args:
        method: A registered method whose card can be read.
        recipes: The packaged recipes that run it.
    """
    return "\n\n".join(_parts(method, method.card, list(recipes)))


def _parts(method: Method, card: Card, recipes: list[Recipe]) -> Iterator[str]:
    yield card.idea
    name = f"`{method.name}`, class `{method.class_name}` of {method.distribution}"
    rows = [("Name", name), *facts(card), ("VAND 4.0", f"admissible: {vand4(card)}")]
    yield grid(("Card", ""), rows, 2)
    if recipes:
        yield "## Recipes"
        yield "`zoo bench RECIPE --data.root DIR` runs one on every object of a data set."
        head = ("recipe", "what it is", "needs")
        yield grid(head, [_recipe(recipe) for recipe in recipes], 3)
    measured = rows_of([results_folder() / MEASURED])
    measured = measured[measured["method"] == method.name]
    yield f"## Results\n\n{_results(measured)}"
    for heading, items in lists(card):
        said = "\n".join(f"- {item}" for item in items) or "None."
        yield f"## {heading}\n\n{said}"


def _recipe(recipe: Recipe) -> tuple[str, str, str]:
    return (f"`{recipe.name}`", recipe.description or "-", recipe.needs or ANYWHERE)


def _results(measured: pd.DataFrame) -> str:
    if measured.empty:
        return f"None yet in `results/{MEASURED}`."
    before = (
        f"SegF1 at native resolution, mean over seeds, from `results/{MEASURED}`; "
        "`results/README.md` says what these images are and are not. Seconds: fit, calibration "
        "and all splits. ms: one image, median."
    )
    return f"{before}\n\n{method_table(measured)}"
