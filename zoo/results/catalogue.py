"""The installed methods and the packaged recipes as rows of texts; none of them is imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple

from zoo.methods.admissibility import NO
from zoo.methods.registry import Method
from zoo.recipes.files import Recipe, find_recipe, recipe_names
from zoo.results.recipe_facts import RecipeFacts, facts_of
from zoo.utils.errors import ZooError

METHODS_HEAD = ("name", "class", "package", "paper", "code / weights licence", "needs", "status")
IDEAS_HEAD = ("method", "name", "paper", "idea")
INDEX_HEAD = (*IDEAS_HEAD, "learns", "setting", "code / weights licence", "needs", "recipes")
RECIPES_HEAD = ("recipe", "method", "backbone", "images", "training", "rule", "needs", "VAND 4")

_LEARNS = {"training_free": "no training", "one_shot": "one pass", "epochs": "by gradient descent"}
_SENTENCE = re.compile(r".*?\.(?= |$)")  # a card's first says what the method does


def method_row(method: Method) -> tuple[str, ...]:
    """Return a method's row of `METHODS_HEAD`; what is not known is a dash."""
    card = method.card
    return (
        method.name,
        method.class_name or "-",
        f"{method.distribution} {method.version}",
        f"{card.paper.venue} ({card.paper.year})" if card and card.paper else "-",
        f"{card.licence.code} / {card.licence.weights}" if card else "-",
        str(card.needs) if card else "-",
        method.problem or "ok",
    )


def idea_row(method: Method, page: Callable[[Method], str] | None = None) -> tuple[str, ...]:
    """Return a method's row of `IDEAS_HEAD` in markdown; without a card there are dashes.

    Args:
        method: A registered method.
        page: Returns the address of its page; the title is then a link.
    """
    card = method.card
    if card is None:
        return (method.class_name, f"`{method.name}`", "-", "-")
    paper = f"[{card.paper.venue} {card.paper.year}]({card.paper.url})" if card.paper else "-"
    title = f"[{card.title}]({page(method)})" if page else card.title
    idea = _SENTENCE.match(card.idea)
    return (title, f"`{method.name}`", paper, idea[0] if idea else card.idea)


def index_row(
    method: Method, recipes: Iterable[Recipe], page: Callable[[Method], str] | None = None
) -> tuple[str, ...]:
    """Return a method's row of `INDEX_HEAD`; arguments as `idea_row`."""
    card = method.card
    names = ", ".join(recipe.name.removeprefix(f"{method.name}/") for recipe in recipes) or "-"
    if card is None:
        return (*idea_row(method, page), "-", "-", "-", "-", names)
    setting = card.vand4.setting.replace("_", "-")
    licence, needs = method_row(method)[4:6]
    return (*idea_row(method, page), _LEARNS[card.learns], setting, licence, needs, names)


def recipe_facts(known: Iterable[Method]) -> Iterator[RecipeFacts]:
    """Yield the facts of every packaged recipe; broken ones are left to `zoo doctor`."""
    known = list(known)
    for name in recipe_names():
        try:
            yield facts_of(find_recipe(name), known)
        except ZooError:
            continue


def recipe_row(facts: RecipeFacts) -> tuple[str, ...]:
    """Return a recipe's row of `RECIPES_HEAD`; why VAND 4 does not admit it is left out."""
    *cells, vand4 = astuple(facts)
    return (*cells, "no" if vand4.startswith(NO) else vand4)
