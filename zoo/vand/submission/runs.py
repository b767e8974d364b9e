"""Which run speaks for each object: one recipe, one seed, one rule for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data import layout
from zoo.data.known_images import image_digests, images_of_tests
from zoo.postprocess.calibration import Calibration
from zoo.runs.check import check_run, read_calibration
from zoo.runs.folder import CONFIG, METRICS, MODEL, UNFINISHED, read_metrics
from zoo.runs.identity import hashable_config
from zoo.runs.maps import SavedMaps, kept_maps
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name, check_recipe_name
from zoo.utils.plain_yaml import read_yaml
from zoo.vand.submission.tree import SPLITS, Expected, Image, on_disk

_OF_AN_OBJECT = {("data", "init_args", "category"), ("seed_everything",)}


@dataclass(frozen=True)
class ObjectRun:
    """A finished run, and what it knows without its model being built.

    Attributes:
        folder: The run's folder.
        metrics: What its metrics.json holds.
    """

    folder: Path
    metrics: dict[str, Any]

    @property
    def object_name(self) -> str:
        """The object that it was fitted on."""
        return check_name(self.metrics["object"], "object", self.folder / METRICS)

    @property
    def recipe(self) -> str:
        """Its recipe."""
        return check_recipe_name(self.metrics["recipe"], self.folder / METRICS)

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.metrics["seed"]

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its full configuration."""
        return read_yaml(self.folder / CONFIG)

    @cached_property
    def calibration(self) -> Calibration:
        """Its thresholds."""
        return read_calibration(self.folder)

    @property
    def root(self) -> Path | None:
        """The data set that it was fitted on, wherever that lies now."""
        root = (self.config["data"].get("init_args") or {}).get("root")
        return None if root is None else Path(root).expanduser()

    def saved(self, split: str) -> SavedMaps | None:
        """Return the score maps of a split, if the run kept them."""
        return SavedMaps(self.folder, split) if kept_maps(self.folder, split) else None

    @property
    def has_maps(self) -> bool:
        """Whether it kept the score maps of both private splits."""
        return all(self.saved(split) for split in SPLITS)

    @property
    def has_model(self) -> bool:
        """Whether it kept its model."""
        return (self.folder / MODEL).is_file()


def find_runs(given: Sequence[Path], seed: int | None = None) -> list[ObjectRun]:
    """Return one run per object, sorted by object.

    Args:
        given: Run folders, or folders above them, such as that of a recipe in a grid.
        seed: Which of several seeds.

    Raises:
        ZooError: No run; runs of several recipes, seeds, rules or sources of the images that
            calibrated them; two runs of one object.
    """
    runs = [run for path in given for run in _below(path)]
    seeds = sorted({run.seed for run in runs})
    if seed is not None:
        runs = [run for run in runs if run.seed == seed]
        if not runs:
            raise ZooError(f"no run of seed {seed} there, only {_words(seeds)}")
    recipes = sorted({run.recipe for run in runs})
    if len(recipes) > 1:
        raise ZooError(
            f"runs of several recipes ({_words(recipes)}): a submission is of one; give its folder"
        )
    if seed is None and len(seeds) > 1:
        raise ZooError(f"runs of the seeds {_words(seeds)}: choose one for all with --seed N")
    by_object: dict[str, ObjectRun] = {}
    for run in runs:
        twin = by_object.setdefault(run.object_name, run)
        if twin.folder.resolve() != run.folder.resolve():
            raise ZooError(f"two runs of '{run.object_name}': {twin.folder} and {run.folder}")
    runs = [by_object[name] for name in sorted(by_object)]
    _check_alike(runs)
    return runs


def expected_of(runs: Sequence[ObjectRun], root: Path | None = None) -> Expected:
    """Return the images that a submission of these runs must judge, all of the data set's.

    Args:
        runs: The runs.
        root: The data set; by default where the runs found it, or what their kept maps tell where
            it is no more.

    Raises:
        ZooError: The data set is gone and not all runs kept maps; an object of it has no run.
    """
    roots = [root] if root else list(dict.fromkeys(run.root for run in runs if run.root))
    if len(roots) > 1:
        places = _words(str(each) for each in roots)
        raise ZooError(f"runs on several data sets ({places}): name the one with --data.root DIR")
    if roots and (root or roots[0].is_dir()):
        missing = set(layout.object_names(roots[0])) - {run.object_name for run in runs}
        if missing:
            raise ZooError(
                f"no run of {_words(sorted(missing))}: a submission needs all objects of "
                f"{roots[0]}; `zoo bench` makes the runs that are missing"
            )
        return on_disk(roots[0], [run.object_name for run in runs])
    without = [str(run.folder) for run in runs if not run.has_maps]
    if without:
        raise ZooError(
            f"the data set of run {without[0]} is not at {roots[0] if roots else 'hand'}: "
            "name it with --data.root DIR"
        )
    return Expected("data set of the runs", tuple(_kept(runs)))


def check_calibrations(runs: Sequence[ObjectRun], root: Path) -> None:
    """Raise where a run was calibrated on a file that is a test image of the data set.

    `zoo calibrate` refuses those too, where it finds the data set. Images that runs held out by
    themselves are none.
    """
    given = {
        digest: run for run in runs if run.calibration.given for digest in run.calibration.images
    }
    for path in images_of_tests(root) if given else []:
        for digest in image_digests([path]):
            if digest in given:
                raise ZooError(
                    f"run {given[digest].folder} was calibrated on {path}, a test image: "
                    "`zoo calibrate RUN` without --good takes the run's own"
                )


def _kept(runs: Sequence[ObjectRun]) -> Iterator[Image]:
    for run in runs:
        for split in SPLITS:
            for entry in run.saved(split).entries:
                stem, size = Path(entry["image"]).stem, tuple(entry["native_size"])
                yield Image(run.object_name, split, stem, size)


def _below(path: Path) -> Iterator[ObjectRun]:
    """Yield the run in a folder, or all below it."""
    if read_metrics(path) is not None:
        yield ObjectRun(path, check_run(path, with_model=False))
        return
    found = sorted(p.parent for p in path.rglob(METRICS) if not p.parent.name.endswith(UNFINISHED))
    if not found:
        check_run(path)  # says what is wrong
    for folder in found:
        yield ObjectRun(folder, check_run(folder, with_model=False))


def _check_alike(runs: Sequence[ObjectRun]) -> None:
    """Raise where a setting differs between objects: one recipe must serve them all."""
    first = runs[0]
    for run in runs[1:]:
        one, other = (_flat(hashable_config(each.config)) for each in (first, run))
        differ = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        differ = [key for key in differ if key not in _OF_AN_OBJECT]
        if differ:
            key = ".".join(differ[0])
            raise ZooError(
                f"'{key}' is {one.get(differ[0])} in {first.folder} and "
                f"{other.get(differ[0])} in {run.folder}: one recipe must serve all objects; "
                "run `zoo bench` anew for all of them"
            )
        rules = [(each.calibration.rule, each.calibration.parameters) for each in (first, run)]
        if rules[0] != rules[1]:
            raise ZooError(
                f"{first.folder} was calibrated by {rules[0][0]!r}, {run.folder} by "
                f"{rules[1][0]!r} or with other parameters: one rule must serve all objects; use "
                "`zoo calibrate RUN --rule RULE` on each"
            )
    given = [str(run.folder) for run in runs if run.calibration.given]
    own = [str(run.folder) for run in runs if not run.calibration.given]
    if given and own:
        raise ZooError(
            f"{_words(given)} was calibrated on given images, {_words(own)} on images of the run: "
            "one way must serve all objects; `zoo calibrate RUN` without --good takes the run's own"
        )


def _flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict):
        parts = [_flat(inner, (*path, str(key))) for key, inner in value.items()]
        return {key: inner for part in parts for key, inner in part.items()}
    return {path: value}


def _words(values: Any) -> str:
    return ", ".join(str(value) for value in values)
