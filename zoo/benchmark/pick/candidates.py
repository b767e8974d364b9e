"""What is tried: recipes at several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.recipes.files import Recipe, find_recipe, recipe_names
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

_SIZE_ARGUMENTS = ("image_size", "shorter_side")
_SMALLER = 0.75
_MULTIPLE = 32  # of sides: strides of every usual backbone divide it
DEFAULT = "embedded"  # recipes of that name: no download, made for a CPU


@dataclass(frozen=True)
class Candidate:
    """One recipe at one size.

    Attributes:
        recipe: The recipe.
        size: Pixels of the (shorter) side; None leaves it to a recipe that names none.
        model: The recipe's arguments of the model.
    """

    recipe: Recipe
    size: int | None
    model: dict[str, Any]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.recipe.name if self.size is None else f"{self.recipe.name} at {self.size}"

    @property
    def slug(self) -> str:
        """The name as one folder name."""
        return self.recipe.slug if self.size is None else f"{self.recipe.slug}-{self.size}"

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings in which it differs from its recipe."""
        return {} if self.size is None else {f"model.{_size_argument(self.model)}": self.size}


def candidates(names: Sequence[str] | None, sizes: Sequence[int] | None) -> list[Candidate]:
    """Return recipes at all sizes.

    Args:
        names: Of recipes; by default every packaged one that runs offline on a CPU.
        sizes: In pixels; by default each recipe's own and three quarters of it.

    Raises:
        ZooError: There is no such recipe.
    """
    default = [name for name in recipe_names() if name.rpartition("/")[2] == DEFAULT]
    found = []
    for recipe in map(find_recipe, dict.fromkeys(names or default)):
        config = read_yaml(recipe.path)
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise ZooError(f"recipe {recipe.path} has no 'model': see recipes/quickstart.yaml")
        model = config["model"].get("init_args") or {}
        argument = _size_argument(model)
        wanted: Sequence[int | None] = [None]
        if argument:
            own = int(model[argument])
            smaller = max(_MULTIPLE, round(_SMALLER * own / _MULTIPLE) * _MULTIPLE)
            wanted = sizes or [own, smaller]
        found += [Candidate(recipe, size, model) for size in dict.fromkeys(wanted)]
    return found


def _size_argument(model: dict[str, Any]) -> str | None:
    return next((name for name in _SIZE_ARGUMENTS if isinstance(model.get(name), int)), None)
