"""Recipes: YAML files that run one method on any object, found by name or by path.

Only those that belong to the `zoo` that was imported are read: an editable install also drops an
unused copy into site-packages. Other packages have theirs beside the class of the method.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Any

import zoo
from zoo.methods.registry import recipe_folders
from zoo.utils.errors import ZooError, nearest
from zoo.utils.plain_yaml import read_text, read_yaml

DEMO = "/demo"  # how the names of recipes end whose rows compare nothing
PAPER_RECIPE = "mvtec_ad_2_paper"  # the recipes that mimic published rows are called so
_SUFFIXES = (".yaml", ".yml")
# Whose classes are never called after somebody's object.
_CODE = {"zoo", "zoo_plugins", "anomalib", "lightning", "torch", "torchvision", "kornia", "timm"}


@dataclass(frozen=True)
class Recipe:
    """One recipe; `name` is `patchcore/embedded` when packaged, the file's stem otherwise."""

    name: str
    path: Path

    @property
    def slug(self) -> str:
        """Return the name as one folder name."""
        return self.name.replace("/", "-")

    @property
    def description(self) -> str:
        """Return the first line of the comment that opens the file, or an empty text."""
        lines = read_text(self.path).splitlines()
        first = next((line.strip() for line in lines if line.strip()), "")
        return first.lstrip("# ").rstrip() if first.startswith("#") else ""

    @property
    def needs(self) -> str:
        """Return what the opening comment says after "Needs", or an empty text: a CPU will do."""
        lines = read_text(self.path).splitlines()
        comment = takewhile(lambda line: line.startswith("#"), lines)
        text = " ".join(line.lstrip("# ").rstrip() for line in comment)
        found = re.search(r"\bNeeds (.+?)[.:;](?: |$)", text)
        return found[1] if found else ""


def check_object_free(
    config: Any,
    objects: Iterable[str],
    no_objects: Iterable[str] = (),
    known: Set[str] = frozenset(),
) -> None:
    """Raise when a recipe names an object: one configuration must serve them all.

    Values are looked at word by word, so that `models/can.pth` and "a photo of a can" name the
    object `can`, and so are keys that the recipe itself makes up, as in `thresholds: {can: 0.3}`.
    The names of arguments, and the classes of libraries, belong to code.

    Args:
        config: The recipe as plain data.
        objects: The names of the data set's objects.
        no_objects: Names of objects that mean something else where a recipe has them.
        known: Whole texts that mean no object, see `known_texts`.

    Raises:
        ZooError: The first name, and where it stands.
    """
    allowed = {name.casefold() for name in no_objects}
    names = {name: _words(name) for name in objects if name.casefold() not in allowed}
    for place, text, is_key in _texts(config):
        for name, words in names.items():
            if text not in known and _names(text, name, words):
                what = "as a key at" if is_key else "at"
                raise ZooError(
                    f"the recipe names the object {name!r} {what} '{place}' ({text.strip()[:60]}); "
                    "take it out and choose the object on the command line, or say "
                    f"--no-object {name} if the word means something else there"
                )


def known_texts() -> set[str]:
    """Return the texts of the packaged recipes: whatever an object is called, they mean none."""
    found = set()
    for recipe in map(find_recipe, recipe_names()):
        with contextlib.suppress(ZooError):
            found |= {text for _, text, _ in _texts(read_yaml(recipe.path))}
    return found


def _names(text: str, name: str, words: list[str]) -> bool:
    """Whether a text has the words of a name one after the other; of a number, the number alone."""
    if not any(letter.isalpha() for letter in name):  # 01 is no word of 0.01
        parts = [text.strip(), *PurePath(text).parts, PurePath(text).stem]
        return name in parts
    found = _words(text)
    return any(found[i : i + len(words)] == words for i in range(len(found) - len(words) + 1))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _texts(
    value: Any, place: str = "", section: str = "", are_arguments: bool = True
) -> Iterator[tuple[str, str, bool]]:
    """Yield the place of each text that a recipe is free to choose, the text, if it is a key."""
    if isinstance(value, str):
        if section != "class_path" or value.partition(".")[0] not in _CODE:
            yield place, value, False
    elif isinstance(value, dict):
        is_class = "class_path" in value
        for name, item in value.items():
            inner = f"{place}.{name}" if place else str(name)
            if not (are_arguments or is_class):
                yield inner, str(name), True
            # A section's keys, and those of init_args, are checked against what code declares.
            are_next = not place or name == "init_args"
            yield from _texts(item, inner, str(name), are_next)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]", section, False)


def recipes_folder() -> Path:
    """Return the folder of the packaged recipes: the wheel's, else the checkout's."""
    package = Path(zoo.__file__).resolve().parent
    packaged = package / "_recipes"
    return packaged if packaged.is_dir() else package.parent / "recipes"


def recipe_names() -> list[str]:
    """Return the packaged recipes' names, such as `quickstart` or `patchcore/embedded`."""
    return sorted(_packaged())


def run_folder(out: str | Path, recipe: str, object_name: str, seed: int) -> Path:
    """Return `<out>/<recipe>/<object>/seed<N>`, where `/` in the recipe's name becomes `-`."""
    return Path(out) / recipe.replace("/", "-") / object_name / f"seed{seed}"


def find_recipe(name_or_path: str) -> Recipe:
    """Return the recipe that a path or a name stands for.

    An existing file wins. A name may carry `.yaml` and a leading `recipes/`, so that a path
    copied from the documentation works in any folder.
    """
    text = str(name_or_path)
    path = Path(text).expanduser()
    packaged = _packaged()
    if path.suffix in _SUFFIXES and path.is_file():
        names = {file.resolve(): name for name, file in packaged.items()}
        return Recipe(names.get(path.resolve(), path.stem), path)
    key = text.replace("\\", "/").removeprefix("./").removeprefix("recipes/")
    key = key.removesuffix(".yaml").removesuffix(".yml")
    if key in packaged:
        return Recipe(key, packaged[key])
    what = "file or recipe" if path.suffix in _SUFFIXES else "recipe"
    raise ZooError(f"there is no {what} '{text}'{nearest(key, packaged)}")


def method_of(recipe: Recipe) -> str:
    """Return the short name of the recipe's model class."""
    config = read_yaml(recipe.path)
    model = config.get("model") if isinstance(config, dict) else None
    target = model.get("class_path") if isinstance(model, dict) else model
    if not isinstance(target, str) or not target:
        raise ZooError(f"{recipe.path}: names no model; add 'model:' with a 'class_path:'")
    return target.rpartition(".")[2]


def recipes_by_class() -> dict[str, list[Recipe]]:
    """Return the packaged recipes by class name; broken ones are left to `zoo doctor`."""
    found: dict[str, list[Recipe]] = {}
    for recipe in map(find_recipe, recipe_names()):
        try:
            found.setdefault(method_of(recipe), []).append(recipe)
        except ZooError:
            continue
    return found


def recipes_for(class_name: str) -> list[Recipe]:
    """Return the packaged recipes whose model is the class of that name."""
    return recipes_by_class().get(class_name, [])


def _packaged() -> dict[str, Path]:
    """Return the packaged recipes by name: the path in the folder, below an outside method's."""
    folders = [("", recipes_folder())]
    folders += [(f"{method}/", folder) for method, folder in recipe_folders().items()]
    return {
        prefix + path.relative_to(folder).with_suffix("").as_posix(): path
        for prefix, folder in folders
        for path in folder.rglob("*.yaml")
        if path.name[0] != "."
    }
