"""`zoo list`: the installed methods in one table, without importing any of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zoo.recipes import Recipe, recipes_by_class
from zoo.registry import Method, methods

HELP = "list the installed methods with their papers, licences and needs"

_HEADER = ("name", "class", "package", "paper", "code / weights licence", "needs", "status")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `zoo list`."""
    parser.add_argument("--json", action="store_true", help="print a JSON list with every field")


def run(args: argparse.Namespace) -> int:
    """Print the table; a method with a problem is a row like any other."""
    found = list(methods().values())
    if args.json:
        recipes = recipes_by_class()
        records = [record(method, recipes.get(method.class_name, [])) for method in found]
        print(json.dumps(records, indent=2, ensure_ascii=False))
    elif found:
        print(aligned([_HEADER, *map(row, found)]))
    else:
        print("no methods are installed")
    return 0


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


def row(method: Method) -> tuple[str, ...]:
    """Return a method's row of the table; what is not known is a dash."""
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


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return rows as text whose columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # No padding behind the last column: a long problem must not widen every line.
    widths[-1] = 0
    lines = ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows)
    return "\n".join(lines)
