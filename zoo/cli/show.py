"""`zoo show`: a method's card in readable form, with the recipes that run it."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from zoo.cli.list import record
from zoo.methods.card import Card, vand4_admissible
from zoo.methods.registry import Method, find
from zoo.recipes.files import Recipe, recipes_for
from zoo.results.card_page import facts, lists, vand4

HELP = "show a method's card: paper, differences from its reference, licences, recipes"

_WIDTH = 100
_LABEL = 13  # columns of the label before each fact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `zoo show`."""
    parser.add_argument("name", metavar="NAME", help="a method's name or class, see `zoo list`")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the card as JSON")
    form.add_argument(
        "--markdown", action="store_true", help="print the card as a page, with measured results"
    )


def run(args: argparse.Namespace) -> int:
    """Print one method; the exit code is 1 when its card or module is unusable."""
    method = find(args.name)
    recipes = recipes_for(method.class_name)
    if args.markdown and method.card:
        from zoo.results.card_page import card_page

        print(card_page(method, recipes))
    elif args.json:
        print(json.dumps(as_json(method, recipes), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(method, recipes)))
    return 1 if method.problem else 0


def run_command(recipe: Recipe) -> str:
    """Return the command that runs a recipe."""
    return f"zoo bench {recipe.name} --data.root DIR"


def as_json(method: Method, recipes: list[Recipe]) -> dict:
    """Return the row of `zoo list` plus the card, the VAND 4 verdict and the recipes in full."""
    described = [
        {"name": recipe.name, "description": recipe.description, "command": run_command(recipe)}
        for recipe in recipes
    ]
    verdict = None
    if method.card:
        admissible, reason = vand4_admissible(method.card)
        verdict = {"admissible": admissible, "reason": reason}
    card = asdict(method.card) if method.card else None
    return record(method, recipes) | {"card": card, "vand4": verdict, "recipes": described}


def as_text(method: Method, recipes: list[Recipe]) -> Iterator[str]:
    """Yield the lines that people read."""
    package = f"{method.distribution} {method.version}"
    yield f"{method.name}: class {method.class_name or '-'} of {package} ({method.target})"
    if method.problem:
        yield from _fact("Problem", method.problem)
    if method.card:
        yield from _card(method.card)
    yield ""
    yield "Recipes" if recipes else "Recipes: none packaged"
    for recipe in recipes:
        yield from _item(f"{recipe.name}: {recipe.description or 'no description'}")
        yield f"    {run_command(recipe)}"


def _card(card: Card) -> Iterator[str]:
    yield from ("", card.title, "")
    yield from textwrap.wrap(card.idea, _WIDTH)
    yield ""
    for label, text in facts(card):
        yield from _fact(label, text)
    yield f"VAND 4 admissible: {vand4(card)}"
    for heading, items in lists(card):
        yield from ("", heading if items else f"{heading}: none")
        for item in items:
            yield from _item(item)


def _fact(label: str, text: str) -> list[str]:
    return _wrapped(text, label.ljust(_LABEL), " " * _LABEL)


def _item(text: str) -> list[str]:
    return _wrapped(text, "  - ", "    ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """Return the text in lines; hashes, links and names are never broken."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
