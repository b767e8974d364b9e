"""The installed methods and the packaged recipes as rows of texts, read from cards and YAML.

Nothing is imported that a recipe names, so what it leaves to a default is not known here. The names
of arguments are those that the bundled methods share: backbone, members, image_size, keep_aspect,
shorter_side, scale and tile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from zoo.methods.admissibility import NO, admissible
from zoo.methods.card import Card
from zoo.methods.registry import Method
from zoo.recipes.files import Recipe, find_recipe, method_of, recipe_names
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

METHODS_HEAD = ("name", "class", "package", "paper", "code / weights licence", "needs", "status")
IDEAS_HEAD = ("method", "name", "paper", "idea")
INDEX_HEAD = (*IDEAS_HEAD, "learns", "setting", "code / weights licence", "needs", "recipes")
RECIPES_HEAD = ("recipe", "method", "backbone", "images", "training", "rule", "needs", "VAND 4")

UNKNOWN = "-"
ANYWHERE = "CPU, offline"
_LEARNS = {"training_free": "no training", "one_shot": "one pass", "epochs": "by gradient descent"}
_SENTENCE = re.compile(r".*?\.(?= |$)")  # the first of a card's idea is what the method does


def method_row(method: Method) -> tuple[str, ...]:
    """Return a method's row of `METHODS_HEAD`; what is not known is a dash."""
    card = method.card
    return (
        method.name,
        method.class_name or UNKNOWN,
        f"{method.distribution} {method.version}",
        f"{card.paper.venue} ({card.paper.year})" if card and card.paper else UNKNOWN,
        f"{card.licence.code} / {card.licence.weights}" if card else UNKNOWN,
        str(card.needs) if card else UNKNOWN,
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
        return (method.class_name, f"`{method.name}`", UNKNOWN, UNKNOWN)
    paper = f"[{card.paper.venue} {card.paper.year}]({card.paper.url})" if card.paper else UNKNOWN
    title = f"[{card.title}]({page(method)})" if page else card.title
    idea = _SENTENCE.match(card.idea)
    return (title, f"`{method.name}`", paper, idea[0] if idea else card.idea)


def index_row(
    method: Method, recipes: Iterable[Recipe], page: Callable[[Method], str] | None = None
) -> tuple[str, ...]:
    """Return a method's row of `INDEX_HEAD`; arguments as `idea_row`."""
    card = method.card
    names = ", ".join(recipe.name.removeprefix(f"{method.name}/") for recipe in recipes) or UNKNOWN
    if card is None:
        return (*idea_row(method, page), *[UNKNOWN] * 4, names)
    setting = card.vand4.setting.replace("_", "-")
    licence, needs = method_row(method)[4:6]
    return (*idea_row(method, page), _LEARNS[card.learns], setting, licence, needs, names)


@dataclass(frozen=True)
class RecipeFacts:
    """One row of the table of recipes, as texts; what a recipe leaves open is a dash."""

    recipe: str
    method: str
    backbone: str
    images: str  # at which size in pixels the network sees an image or its tiles
    training: str
    rule: str  # that makes the thresholds
    needs: str
    vand4: str  # yes, or no: and why


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


def facts_of(recipe: Recipe, known: Iterable[Method]) -> RecipeFacts:
    """Return what the YAML of a recipe holds.

    Args:
        recipe: Any recipe.
        known: The registered methods, for their cards.

    Raises:
        ZooError: The recipe is not valid YAML or names no model.
    """
    name = method_of(recipe)
    config = read_yaml(recipe.path)
    model: dict[str, Any] = {"class_path": name}
    if isinstance(config["model"], dict):
        model = config["model"]
    method = next((method for method in known if method.class_name == name), None)
    card = method.card if method else None
    arguments = model.get("init_args") or {}
    members = arguments.get("members") or [arguments]
    rules = [node["rule"] for node in _mappings(arguments) if isinstance(node.get("rule"), dict)]
    return RecipeFacts(
        recipe=recipe.name,
        method=method.name if method else name,
        backbone=_joined(m.get("backbone") or arguments.get("model_size") for m in members),
        images=_image_size(config, arguments),
        training=_training(config.get("trainer") or {}, card),
        rule=_joined(rule["class_path"].rpartition(".")[2] for rule in rules),
        needs=recipe.needs or ANYWHERE,
        vand4=admissible(
            card,
            model,
            digest=lambda path: _promised_digest(card, path),
            data=config.get("data"),
            trainer=config.get("trainer"),
        ),
    )


def _joined(texts: Iterable[str | None]) -> str:
    """Return the texts without repetition, or a dash."""
    return ", ".join(dict.fromkeys(filter(None, texts))) or UNKNOWN


def _image_size(config: dict[str, Any], arguments: dict[str, Any]) -> str:
    resizes = [
        node["init_args"]["size"]
        for node in _mappings(arguments)
        if str(node.get("class_path")).endswith(".Resize")
    ]
    size = arguments.get("image_size") or next(iter(resizes), None)
    side = arguments.get("shorter_side") or (size if arguments.get("keep_aspect") else None)
    if window := (config.get("tiling") or {}).get("window"):
        return f"windows of {window} at {config['tiling'].get('side') or size}"
    if scale := arguments.get("scale"):
        tile = arguments.get("tile")
        return f"{scale} of native" + (f", tiles of {tile}" if tile else "")
    if side:
        return f"shorter side {side}"
    if size is None:
        return UNKNOWN
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height} x {width}"


def _training(trainer: dict[str, Any], card: Card | None) -> str:
    if "max_steps" in trainer:
        return f"{trainer['max_steps']:,} steps"
    if "max_epochs" in trainer:
        return f"{trainer['max_epochs']} epochs"
    return "one pass" if card and card.learns != "epochs" else UNKNOWN


def _promised_digest(card: Card | None, path: Path) -> str | None:
    """Return the SHA-256 of the card's weights whose name is in the name of a file."""
    weights = card.weights if card else ()
    return next((w.sha256 for w in weights if w.name in path.stem), None)


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of nested data."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _mappings(item)
