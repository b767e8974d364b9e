"""`zoo list`: the installed methods, or the recipes, in one table; none of them is imported."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zoo.methods.registry import Method, methods
from zoo.recipes.files import Recipe, recipes_by_class
from zoo.results.catalogue import (
    INDEX_HEAD,
    METHODS_HEAD,
    RECIPES_HEAD,
    index_row,
    method_row,
    recipe_facts,
    recipe_row,
)

HELP = "list the installed methods with their papers, licences and needs, or the recipes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `zoo list`."""
    parser.add_argument("--recipes", action="store_true", help="the recipes instead of the methods")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list with every field")
    form.add_argument("--markdown", action="store_true", help="print a table in markdown")


def run(args: argparse.Namespace) -> int:
    """Print the table; a method with a problem is a row like any other."""
    known = list(methods().values())
    if not (known or args.json or args.recipes):
        print("no methods are installed")
    elif args.recipes:
        print(_recipes(known, args))
    else:
        print(_methods(known, args))
    return 0


def _methods(known: list[Method], args: argparse.Namespace) -> str:
    recipes = recipes_by_class()
    if args.json:
        return _json([record(each, recipes.get(each.class_name, [])) for each in known])
    if args.markdown:
        rows = [index_row(each, recipes.get(each.class_name, [])) for each in known]
        return _markdown(INDEX_HEAD, rows)
    return aligned([METHODS_HEAD, *map(method_row, known)])


def _recipes(known: list[Method], args: argparse.Namespace) -> str:
    found = list(recipe_facts(known))
    if args.json:
        return _json([asdict(each) for each in found])
    rows = list(map(recipe_row, found))
    return _markdown(RECIPES_HEAD, rows) if args.markdown else aligned([RECIPES_HEAD, *rows])


def _json(records: list[dict[str, Any]]) -> str:
    return json.dumps(records, indent=2, ensure_ascii=False)


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    from zoo.utils.markdown import grid

    return grid(head, rows, len(head))


def record(method: Method, recipes: Iterable[Recipe]) -> dict[str, Any]:
    """Return everything that the table knows about a method as plain data."""
    card = method.card
    return {
        "name": method.name,
        "class": method.class_name,
        "target": method.target,
        "package": method.distribution,
        "version": method.version,
        "title": card.title if card else None,
        "paper": asdict(card.paper) if card and card.paper else None,
        "licences": asdict(card.licence) if card else None,
        "needs": asdict(card.needs) if card else None,
        "learns": card.learns if card else None,
        "status": "problem" if method.problem else "ok",
        "problem": method.problem,
        "recipes": [recipe.name for recipe in recipes],
    }


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return rows as text whose columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # No padding behind the last column: a long problem must not widen every line.
    widths[-1] = 0
    lines = ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows)
    return "\n".join(lines)
