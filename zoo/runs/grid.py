"""A grid of runs: every recipe on every object with every seed, resumable."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data import layout
from zoo.errors import ZooError, one_line
from zoo.recipes import Recipe, check_object_free, find_recipe, read_yaml
from zoo.runs.execute import Keep
from zoo.runs.folder import note_failure, run_folder
from zoo.runs.progress import GridProgress, duration
from zoo.runs.spec import RunSpec, result_text
from zoo.sealed.run import run_sealed

_LEAST_FREE_BYTES = 1_000_000


@dataclass
class GridResult:
    """How a grid went.

    Attributes:
        finished: Labels of runs that were carried out now.
        skipped: Labels of runs that were there already.
        failed: Label and reason of runs that failed.
    """

    finished: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def plan(
    recipe_names: Sequence[str],
    root: Path,
    objects: Sequence[str] | None,
    seeds: Sequence[int],
    splits: Sequence[str] | None,
    out: Path,
    keep: Keep = "model",
    is_sealed: bool = False,
) -> list[RunSpec]:
    """List the runs of a grid, checking recipes, objects and splits before the first one starts.

    Raises:
        ZooError: A recipe is unknown, names an object or shares its name with another; an object
            or split is not on disk.
    """
    root, out = Path(root), Path(out)
    names = layout.check_objects(root, list(objects) if objects else None)
    recipes = [find_recipe(name) for name in dict.fromkeys(recipe_names)]
    slugs: dict[str, Recipe] = {}
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
        check_object_free(config, layout.object_names(root))
    splits_of = {name: tuple(layout.check_splits(root, name, splits)) for name in names}
    fingerprints = {name: layout.fingerprint(root, name) for name in names}
    return [
        RunSpec(
            recipe=recipe.name,
            words=_words(recipe, root, name, seed, out, keep),
            # `$ZOO_DATA` stands for the data set's folder, wherever somebody has it.
            command=(
                f"zoo bench {recipe.name} --data.root $ZOO_DATA --objects {name} --seeds {seed}"
                f"{' --sealed' * is_sealed}"
            ),
            object_name=name,
            seed=seed,
            splits=splits_of[name],
            data_fingerprint=fingerprints[name],
            folder=run_folder(out, recipe.slug, name, seed),
            is_sealed=is_sealed,
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
        *("--config", str(recipe.path)),
        *("--data.root", str(root)),
        *("--data.category", object_name),
        *("--seed_everything", str(seed)),
        *("--default_root_dir", str(out)),
        *("--keep", keep),
    )


def run_grid(specs: Sequence[RunSpec], progress: GridProgress) -> GridResult:
    """Carry out the runs that are not finished; one that fails does not stop the others.

    A full disk and Ctrl-C end the grid: finished runs stay, the same command goes on later.
    """
    result = GridResult()
    try:
        for index, spec in enumerate(specs):
            progress.begin(index, spec.label)
            _run(spec, result, progress)
    finally:
        progress.close()
    return result


def _run(spec: RunSpec, result: GridResult, progress: GridProgress) -> None:
    """Carry out one run unless it is finished, and note how it went."""
    try:
        command = spec.parse()
        done = spec.finished(command)
        if done is not None:
            result.skipped.append(spec.label)
            progress.end(f"finished before, {result_text(spec.splits, done)}", counts=False)
            return
        begin = time.perf_counter()
        carry_out = run_sealed if spec.is_sealed else RunSpec.run
        metrics = carry_out(spec, command, progress.say)
        seconds = time.perf_counter() - begin
        progress.end(f"{result_text(spec.splits, metrics)} ({duration(seconds)})")
        result.finished.append(spec.label)
    except Exception as error:
        if _disk_is_full(error, spec.folder):
            raise ZooError(
                f"no space left for {spec.folder}: free some and repeat the command; finished "
                "runs are kept"
            ) from error
        _note(spec, error, result, progress)


def _disk_is_full(error: Exception, folder: Path) -> bool:
    """Whether a run failed for want of space; torch reports that as an error of its own."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    return shutil.disk_usage(existing).free < _LEAST_FREE_BYTES


def _note(spec: RunSpec, error: Exception, result: GridResult, progress: GridProgress) -> None:
    if progress.debug:
        raise error
    reason = one_line(error)
    note_failure(
        spec.folder,
        {"recipe": spec.recipe, "object": spec.object_name, "seed": spec.seed, "reason": reason},
    )
    result.failed.append((spec.label, reason))
    progress.end(f"FAILED: {reason}")
