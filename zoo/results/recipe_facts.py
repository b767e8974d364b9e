"""What a recipe says of itself, read from its YAML: network, images, training, needs, VAND 4.

Nothing is imported that a recipe names, so what it leaves to a default is not known here. The names
of arguments are those that the bundled methods share: backbone, members, image_size, keep_aspect,
shorter_side, scale and tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.methods.admissibility import run_admissible
from zoo.methods.card import Card
from zoo.methods.registry import Method
from zoo.recipes.files import Recipe, method_of
from zoo.utils.plain_yaml import read_yaml

UNKNOWN = "-"
ANYWHERE = "CPU, offline"


@dataclass(frozen=True)
class RecipeFacts:
    """One row of the table of recipes, as texts; what a recipe does not say is a dash."""

    recipe: str
    method: str
    backbone: str
    images: str  # what the network sees
    training: str
    rule: str  # that makes the thresholds
    needs: str
    vand4: str  # yes, or no: and why


def facts_of(recipe: Recipe, known: Iterable[Method]) -> RecipeFacts:
    """Return what a recipe says of itself.

    Args:
        recipe: Any recipe.
        known: The registered methods, whose cards speak for them.

    Raises:
        ZooError: The recipe is not valid YAML or names no model.
    """
    name = method_of(recipe)
    config = read_yaml(recipe.path)
    model = config["model"] if isinstance(config["model"], dict) else {"class_path": name}
    method = next((each for each in known if each.class_name == name), None)
    card = method.card if method else None
    arguments = model.get("init_args") or {}
    members = arguments.get("members") or [arguments]
    backbones = [each.get("backbone") or arguments.get("model_size") for each in members]
    return RecipeFacts(
        recipe=recipe.name,
        method=method.name if method else name,
        backbone=_joined(backbones),
        images=_images(config, arguments),
        training=_training(config.get("trainer") or {}, card),
        rule=_joined(path.rpartition(".")[2] for path in _classes(arguments, "rule")),
        needs=recipe.needs or ANYWHERE,
        vand4=run_admissible(
            card,
            model,
            digest=lambda path: _promised(card, path),
            data=config.get("data"),
            trainer=config.get("trainer"),
        ),
    )


def _joined(texts: Iterable[str | None]) -> str:
    """Return the texts without repetition, or a dash."""
    return ", ".join(dict.fromkeys(filter(None, texts))) or UNKNOWN


def _images(config: dict[str, Any], arguments: dict[str, Any]) -> str:
    """Return the size in pixels at which the network sees an image or its tiles."""
    size = arguments.get("image_size") or next(_resizes(arguments), None)
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


def _promised(card: Card | None, path: Path) -> str | None:
    """Return the SHA-256 of the card's weights whose name a file bears: that of the right file."""
    weights = card.weights if card else ()
    return next((each.sha256 for each in weights if each.name in path.stem), None)


def _resizes(value: Any) -> Iterator[int | list[int]]:
    """Yield the sizes of all transforms of a stock model that resize."""
    for node in _nodes(value):
        if str(node.get("class_path")).endswith(".Resize"):
            yield node["init_args"]["size"]


def _classes(value: Any, key: str) -> Iterator[str]:
    """Yield the class paths that stand under a key, at any depth."""
    for node in _nodes(value):
        if isinstance(node.get(key), dict):
            yield node[key]["class_path"]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of nested data."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _nodes(item)
