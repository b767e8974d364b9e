"""The runs of a submission, one per object: one recipe, one seed, one rule for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

from zoo.data import layout
from zoo.data.known_images import image_digest, images_of_tests
from zoo.data.splits import PRIVATE_SPLITS
from zoo.metrics import PixelCounts
from zoo.postprocess.calibration import Calibration
from zoo.runs.check import read_calibration, runs_below
from zoo.runs.documents import METRICS, Metrics, check_metrics
from zoo.runs.folder import CONFIG, MODEL
from zoo.runs.identity import hashable_config
from zoo.runs.maps import SavedMaps, kept_maps
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name, check_recipe_name
from zoo.utils.plain_yaml import leaves, read_yaml
from zoo.utils.progress import counted
from zoo.vand.submission.expected import Expected, Image, on_disk

_OF_AN_OBJECT = {"data.init_args.category", "seed_everything"}


@dataclass(frozen=True)
class ObjectRun:
    """A finished run, and what its folder holds, without its model being built."""

    folder: Path
    metrics: Metrics

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

    def keeps_maps(self, *splits: str) -> bool:
        """Whether it kept the score maps of some splits; of both private ones by default."""
        return all(kept_maps(self.folder, split) for split in splits or PRIVATE_SPLITS)

    @property
    def keeps_model(self) -> bool:
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
    folders = [folder for path in given for folder in runs_below(path, with_model=False)]
    runs = [ObjectRun(folder, check_metrics(folder)) for folder in folders]
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
    for run in runs[1:]:
        _check_alike(runs[0], run)
    return runs


def expected_of(runs: Sequence[ObjectRun], root: Path | None = None) -> Expected:
    """Return the images that a submission of these runs must hold, all of the data set's.

    Args:
        runs: The runs.
        root: The data set; by default where the runs found it, or what their kept maps hold where
            it is no more.

    Raises:
        ZooError: The data set is gone and not all runs kept maps; an object of it has no run.
    """
    roots = [root] if root else list(dict.fromkeys(run.root for run in runs if run.root))
    if len(roots) > 1:
        raise ZooError(
            f"runs on several data sets ({_words(roots)}): name the one with --data.root DIR"
        )
    if roots and (root or roots[0].is_dir()):
        missing = set(layout.object_names(roots[0])) - {run.object_name for run in runs}
        if missing:
            raise ZooError(
                f"no run of {_words(sorted(missing))}: a submission needs all objects of "
                f"{roots[0]}; `zoo bench` makes the runs that are missing"
            )
        return on_disk(roots[0], [run.object_name for run in runs])
    for run in runs:
        if not run.keeps_maps():
            raise ZooError(
                f"the data set of run {run.folder} is not at {roots[0] if roots else 'hand'}: "
                "name it with --data.root DIR"
            )
    images = [
        Image(run.object_name, split, Path(entry["image"]).stem, entry["native_size"])
        for run in runs
        for split in PRIVATE_SPLITS
        for entry in SavedMaps(run.folder, split).entries
    ]
    return Expected("data set of the runs", tuple(images))


def check_calibrations(runs: Sequence[ObjectRun], root: Path) -> None:
    """Raise where a run was calibrated on a file that is a test image of the data set.

    `zoo calibrate` refuses those too, where it finds the data set. Images that runs held out by
    themselves are none.
    """
    given = {
        digest: run for run in runs if run.calibration.given for digest in run.calibration.images
    }
    for path in images_of_tests(root) if given else []:
        if run := given.get(image_digest(path)):
            raise ZooError(
                f"run {run.folder} was calibrated on {path}, a test image: `zoo calibrate RUN` "
                "without --good takes the run's own"
            )


def evaluate_public(
    runs: Sequence[ObjectRun],
    root: Path,
    device: str | None = None,
    log: Callable[[str], None] = print,
) -> dict[str, float]:
    """Return SegF1 of the runs' masks on `test_public` per object, pooled over all pixels.

    For a last look, never for a choice: VAND 4.0 lets `test_public` decide nothing. Objects on
    which it has no value are left out.

    Args:
        runs: One run per object.
        root: The data set.
        device: Where models run.
        log: Receives a line per object, and the mean.
    """
    from zoo.runs.rebuild import load_run  # imports torch

    scores: dict[str, float] = {}
    for run in runs:
        listed = layout.samples(root, run.object_name, "test_public")
        predictor, counts = load_run(run.folder, device), PixelCounts()
        for sample in counted(listed, len(listed), run.object_name):
            prediction = predictor.predict(sample.image_path)
            truth = sample.truth(prediction.mask.shape)
            assert truth is not None  # images of test_public without a mask are refused
            counts.update(prediction.mask, truth)
        if counts.segf1 is None:
            log(f"{run.object_name}: no SegF1, since no pixel is marked and none is to be")
            continue
        scores[run.object_name] = counts.segf1
        log(f"{run.object_name}: SegF1 {100 * counts.segf1:.2f} %")
    if scores:
        log(f"mean of {len(scores)} objects: SegF1 {100 * mean(scores.values()):.2f} %")
    return scores


def _check_alike(first: ObjectRun, run: ObjectRun) -> None:
    """Raise where a setting differs between two objects: one recipe must serve them all."""
    one, other = (dict(leaves(hashable_config(item.config))) for item in (first, run))
    for key in sorted((one.keys() | other.keys()) - _OF_AN_OBJECT):
        if one.get(key) != other.get(key):
            raise ZooError(
                f"'{key}' is {one.get(key)} in {first.folder} and {other.get(key)} in "
                f"{run.folder}: one recipe must serve all objects; run `zoo bench` anew for all "
                "of them"
            )
    mine, theirs = first.calibration, run.calibration
    if (mine.rule, mine.parameters) != (theirs.rule, theirs.parameters):
        raise ZooError(
            f"{first.folder} was calibrated by {mine.rule!r}, {run.folder} by {theirs.rule!r} or "
            "with other parameters: one rule must serve all objects; use `zoo calibrate RUN "
            "--rule RULE` on each"
        )
    if mine.given != theirs.given:
        given, own = (first, run) if mine.given else (run, first)
        raise ZooError(
            f"{given.folder} was calibrated on given images, {own.folder} on images of the run: "
            "one way must serve all objects; `zoo calibrate RUN` without --good takes the run's own"
        )


def _words(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
