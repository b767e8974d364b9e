"""The plan of a grid: every recipe on every object with every seed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zoo.data import layout
from zoo.recipes.experiment import Experiment, Keep, load
from zoo.recipes.files import Recipe, check_object_free, find_recipe, known_texts, run_folder
from zoo.recipes.language import Section
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml


def plan(
    recipes: Sequence[str],
    root: Path,
    objects: Sequence[str] | None = None,
    seeds: Sequence[int] = (0,),
    splits: Sequence[str] | None = None,
    out: Path = Path("runs"),
    keep: Keep = "model",
    is_sealed: bool = False,
    threads: int | None = None,
    no_objects: Sequence[str] = (),
) -> list[Experiment]:
    """List the experiments of a grid; recipes, objects and splits are checked before the first.

    Args:
        recipes: Names or files of the recipes.
        root: The data set.
        objects: Names; all by default.
        seeds: One run for each.
        splits: Test splits to evaluate; all on disk by default.
        out: Where run folders appear.
        keep: What stays of a run, see `Experiment`.
        is_sealed: Whether fit and calibration see nothing but train and validation.
        threads: Of each run; those of the process that carries it out by default.
        no_objects: Names of objects that mean something else where a recipe has them.

    Raises:
        ZooError: A recipe is not valid, names an object or shares its name with another; an object
            or split is not on disk.
    """
    root, out = Path(root), Path(out)
    names = layout.check_objects(root, list(objects) if objects else None)
    found = [find_recipe(name) for name in dict.fromkeys(recipes)]
    _check_recipes(found, root, no_objects)
    wanted = list(splits) if splits else None
    splits_of = {name: tuple(layout.check_splits(root, name, wanted)) for name in names}
    options = " --sealed" * is_sealed
    options += "".join(f" --no-object {shlex.quote(word)}" for word in no_objects)
    experiments = []
    for recipe in found:
        # A recipe is read and checked once; its experiments differ in object and seed.
        data: Section = {"init_args": {"root": str(root), "category": names[0]}}
        first = load(recipe.path, data=data, out=out, keep=keep, threads=threads)
        experiments += [
            replace(
                first.with_data(category=name),
                object_name=name,
                seed=seed,
                splits=splits_of[name],
                folder=run_folder(out, recipe.name, name, seed),
                # `$ZOO_DATA` stands for the data set's folder, wherever somebody has it.
                command=f"zoo bench {recipe.name} --data.root $ZOO_DATA --objects {name} "
                f"--seeds {seed}{options}",
            )
            for name in names
            for seed in seeds
        ]
    return experiments


def _check_recipes(recipes: Sequence[Recipe], root: Path, no_objects: Sequence[str]) -> None:
    """Raise where two recipes share a name, or one has no model or names an object."""
    slugs: dict[str, Recipe] = {}
    known = known_texts()
    for recipe in recipes:
        twin = slugs.setdefault(recipe.slug, recipe)
        if twin is not recipe:
            raise ZooError(
                f"two recipes are called '{recipe.slug}' ({twin.path}, {recipe.path}): rename one"
            )
        config = read_yaml(recipe.path)
        for key in ("model", "data"):
            if key not in (config or {}):
                raise ZooError(f"recipe {recipe.path} has no '{key}': see recipes/quickstart.yaml")
        check_object_free(config, layout.object_names(root), no_objects, known)
