"""`zoo show`: a method's card in readable form, with the recipes that run it."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from zoo.card import Card, Weights, vand4_admissible
from zoo.cli.list import record
from zoo.recipes import Recipe, recipes_for
from zoo.registry import Method, find

HELP = "show a method's card: paper, differences from its reference, licences, recipes"

_WIDTH = 100
_LABEL = 13  # columns of the label before each fact

_LEARNS = {
    "training_free": "nothing; it stores what normal images look like",
    "one_shot": "in a single pass over the normal images",
    "epochs": "by gradient descent over several epochs",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `zoo show`."""
    parser.add_argument("name", metavar="NAME", help="a method's name or class, see `zoo list`")
    parser.add_argument("--json", action="store_true", help="print the card as JSON")


def run(args: argparse.Namespace) -> int:
    """Print one method; the exit code is 1 when its card or module is unusable."""
    method = find(args.name)
    recipes = recipes_for(method.class_name)
    if args.json:
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
    if paper := card.paper:
        cited = f"{paper.authors}: {paper.title}. {paper.venue} ({paper.year}). {paper.url}"
        yield from _fact("Paper", cited)
    if reference := card.reference:
        at = f"{reference.repository} at {reference.commit} ({reference.licence})"
        yield from _fact("Reference", at)
    yield from _fact("Licence", f"code {card.licence.code}; weights {card.licence.weights}")
    for weights in card.weights:
        yield from _fact("Weights", _weights(weights))
    yield from _fact("Needs", str(card.needs))
    yield from _fact("Learns", _LEARNS[card.learns])
    if card.fidelity:
        yield from _fact("Fidelity", f"{card.fidelity.tolerance} ({card.fidelity.test})")
    admissible, reason = vand4_admissible(card)
    yield f"VAND 4 admissible: {'yes' if admissible else 'no'}, {reason}"
    for heading, items in (
        ("Differences from the reference", card.differences),
        ("Assumptions", card.assumptions),
    ):
        yield from ("", heading if items else f"{heading}: none")
        for item in items:
            yield from _item(item)
    if card.assumed:
        yield from ("", "Assumed where the papers are silent")
        for item in card.assumed:
            yield from _item(item)


def _weights(weights: Weights) -> str:
    access = ", gated: ask for access first" if weights.gated else ""
    digest = f", sha256 {weights.sha256}" if weights.sha256 else ""
    return f"{weights.name}: {weights.source} ({weights.licence}{access}{digest})"


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
