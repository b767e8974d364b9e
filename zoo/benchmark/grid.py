"""A grid of runs: every recipe on every object with every seed, resumable."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.benchmark.attempt import Outcome
from zoo.benchmark.executors import Executor
from zoo.benchmark.executors.sequential import Sequential
from zoo.data import layout
from zoo.recipes.files import Recipe, check_object_free, find_recipe, known_texts
from zoo.runs.execute import Keep
from zoo.runs.folder import run_folder
from zoo.runs.spec import RunSpec
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml
from zoo.utils.progress import GridProgress


@dataclass
class GridResult:
    """How a grid went.

    Attributes:
        finished: Labels of runs that were carried out now.
        skipped: Labels of runs that were there already.
        failed: Label and reason of runs that failed.
        busy: Label and holder of runs that another process is at.
    """

    finished: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    busy: list[tuple[str, str]] = field(default_factory=list)


def plan(
    recipe_names: Sequence[str],
    root: Path,
    objects: Sequence[str] | None,
    seeds: Sequence[int],
    splits: Sequence[str] | None,
    out: Path,
    keep: Keep = "model",
    is_sealed: bool = False,
    threads: int | None = None,
    no_objects: Sequence[str] = (),
) -> list[RunSpec]:
    """List the runs of a grid, checking recipes, objects and splits before the first one starts.

    Args:
        recipe_names: Names or files of the recipes.
        root: The data set.
        objects: Names; all by default.
        seeds: One run for each.
        splits: Test splits to judge; all on disk by default.
        out: Where run folders appear.
        keep: What stays of a run, see `zoo.runs.execute`.
        is_sealed: Whether fit and calibration see nothing but train and validation.
        threads: Of each run; those of the process that carries it out by default.
        no_objects: Names of objects that mean something else where a recipe has them.

    Raises:
        ZooError: A recipe is unknown, names an object or shares its name with another; an object
            or split is not on disk.
    """
    root, out = Path(root), Path(out)
    names = layout.check_objects(root, list(objects) if objects else None)
    recipes = [find_recipe(name) for name in dict.fromkeys(recipe_names)]
    slugs, known = {}, known_texts()
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
    splits_of = {name: tuple(layout.check_splits(root, name, splits)) for name in names}
    fingerprints = {name: layout.fingerprint(root, name) for name in names}
    n_images = {name: layout.n_images(root, name) for name in names}
    return [
        RunSpec(
            recipe=recipe.name,
            words=_words(recipe, root, name, seed, out, keep),
            # `$ZOO_DATA` stands for the data set's folder, wherever somebody has it.
            command=(
                f"zoo bench {recipe.name} --data.root $ZOO_DATA --objects {name} --seeds {seed}"
                f"{' --sealed' * is_sealed}"
                f"{''.join(f' --no-object {shlex.quote(word)}' for word in no_objects)}"
            ),
            object_name=name,
            seed=seed,
            splits=splits_of[name],
            data_fingerprint=fingerprints[name],
            folder=run_folder(out, recipe.slug, name, seed),
            is_sealed=is_sealed,
            threads=threads,
            n_images=n_images[name],
        )
        for recipe in recipes
        for name in names
        for seed in seeds
    ]


def _words(
    recipe: Recipe, root: Path, object_name: str, seed: int, out: Path, keep: Keep
) -> tuple[str, ...]:
    """Return the `zoo train` command line of one run."""
    return (
        "train",
        *("--config", str(Path(recipe.path).absolute())),
        *("--data.root", str(root)),
        *("--data.category", object_name),
        *("--seed_everything", str(seed)),
        *("--default_root_dir", str(out)),
        *("--keep", keep),
    )


def run_grid(
    specs: Sequence[RunSpec], progress: GridProgress, executor: Executor | None = None
) -> GridResult:
    """Carry out the runs that are not finished; one that fails does not stop the others.

    A run that another process is at is left to it, and looked at once more in the end. Ctrl-C and
    a disk that takes nothing more end the grid: finished runs stay, the same command goes on later.

    Args:
        specs: The runs.
        progress: Shows how they go.
        executor: Carries them out; one after the other in this process by default.

    Raises:
        ZooError: The results cannot be written.
    """
    result = GridResult()
    runs = dict(enumerate(specs))
    executor = executor or Sequential()
    try:
        busy = _carry_out(runs, progress, executor, result) if runs else {}
        if busy and len(busy) < len(runs):
            busy = _carry_out({index: runs[index] for index in busy}, progress, executor, result)
    finally:
        progress.close()
    result.busy = [(runs[index].label, reason) for index, reason in busy.items()]
    return result


def _carry_out(
    runs: Mapping[int, RunSpec], progress: GridProgress, executor: Executor, result: GridResult
) -> dict[int, str]:
    """Carry out runs, note how they went, and return which ones are somebody else's, and whose."""
    busy = {}
    with contextlib.closing(executor(runs, progress)) as outcomes:
        for index, outcome in outcomes:
            if progress.debug and outcome.trace:
                print(outcome.trace, file=sys.stderr)
            if outcome.state == "unwritable":
                raise ZooError(outcome.text)
            _note(runs[index].label, outcome, result)
            if outcome.state == "busy":
                busy[index] = outcome.text
            is_failed = outcome.state == "failed"
            text = f"FAILED: {outcome.text}" if is_failed else outcome.text
            progress.end(text, outcome.state == "finished", index, is_failed)
    return busy


def _note(label: str, outcome: Outcome, result: GridResult) -> None:
    if outcome.state == "finished":
        result.finished.append(label)
    elif outcome.state == "skipped":
        result.skipped.append(label)
    elif outcome.state == "failed":
        result.failed.append((label, outcome.text))
