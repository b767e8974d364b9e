"""What a reproduction will take, before hours are spent on it: a survey, and a small pilot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.benchmark.plan import plan
from zoo.benchmark.sealed.view import link
from zoo.data.layout import samples, splits_on_disk
from zoo.data.splits import FIT_SPLITS, PRIVATE_SPLITS
from zoo.recipes.files import Recipe
from zoo.runs.documents import Cost, read_cost
from zoo.runs.run import run
from zoo.vand.submission.expected import check_published, on_disk

_PILOT = {"train": 4, "validation": 2, "test_private": 2}
_PILOT_STEPS = 5
_MAP_BYTES = 2.02  # of a pixel: a float16 score, and its share of a mask
_PACKED = 0.7


@dataclass(frozen=True)
class ObjectImages:
    """How many images an object has in each split, and the pixels of both private splits."""

    name: str
    counts: dict[str, int]
    private_px: int


def survey(root: Path) -> tuple[list[ObjectImages], bool]:
    """Return what every object has, and whether the data set is the benchmark's.

    Raises:
        ZooError: A split is missing, or a copy of the benchmark has not the images that the server
            takes: all of them, under their names and at their sizes.
    """
    expected = on_disk(root)
    is_benchmark = check_published(expected)
    objects = []
    for name in expected.objects:
        splits = (*FIT_SPLITS, *splits_on_disk(root, name))
        counts = {split: len(samples(root, name, split)) for split in splits}
        sizes = [image.native_size for image in expected.of(name)]
        objects.append(ObjectImages(name, counts, sum(height * width for height, width in sizes)))
    return objects, is_benchmark


def estimate(
    recipe: Recipe, root: Path, objects: Sequence[ObjectImages], log: Callable[[str], None]
) -> list[str]:
    """Return in two lines what all objects will take: images and hours, disk and memory.

    A recipe is run on a few images of the object with the largest ones, and its cost is scaled.

    Raises:
        ZooError: The recipe cannot be run.
    """
    largest = max(objects, key=lambda images: images.private_px / images.counts[PRIVATE_SPLITS[0]])
    with tempfile.TemporaryDirectory(prefix="zoo-pilot-") as folder:
        cost, per_fit = _pilot(recipe, root, largest.name, Path(folder), log)
    phases = {name: phase["wall_s"] for name, phase in cost["phases"].items()}
    seconds = 0.0
    for images in objects:
        n_test = sum(n for split, n in images.counts.items() if split not in FIT_SPLITS)
        share = images.counts["train"] / _PILOT["train"] if per_fit.by_images else 1.0
        seconds += phases["fit"] * per_fit.times * share
        seconds += phases["calibrate"] * images.counts["validation"] / _PILOT["validation"]
        seconds += phases["test_private"] * n_test / _PILOT["test_private"]
    n_images = sum(sum(images.counts.values()) for images in objects)
    disk_gb = _MAP_BYTES * sum(images.private_px for images in objects) / 1e9
    return [
        f"{n_images} images, about {seconds / 3600:.1f} h on this machine (a pilot on "
        f"{sum(_PILOT.values())} images, scaled; choosing a coreset grows faster than that)",
        f"{disk_gb:.1f} GB of maps and masks, about {_PACKED * disk_gb:.1f} GB packed; "
        f"{cost['memory']['peak_rss_mb'] / 1000:.1f} GB of memory in the pilot, more with all "
        "images",
    ]


@dataclass(frozen=True)
class _PerFit:
    """How a fit grows from the pilot's: by how much, and whether with the number of images too."""

    trainer: dict[str, int]
    times: float
    by_images: bool


def _pilot(
    recipe: Recipe, root: Path, name: str, folder: Path, log: Callable[[str], None]
) -> tuple[Cost, _PerFit]:
    for split, n_images in _PILOT.items():
        for sample in samples(root, name, split)[:n_images]:
            link(sample.image_path, folder / "data" / sample.image_path.relative_to(root))
    [experiment] = plan(
        [str(recipe.path)], folder / "data", None, [0], ["test_private"], folder / "out"
    )
    per_fit = _per_fit(experiment.trainer)
    run(experiment.with_trainer(**per_fit.trainer), say=log)
    return read_cost(experiment.folder), per_fit


def _per_fit(trainer: dict[str, Any]) -> _PerFit:
    """Return how to shorten a fit for the pilot, and how to make up for it."""
    steps, epochs = trainer.get("max_steps") or -1, trainer.get("max_epochs") or 1
    if steps > 0:
        few = min(_PILOT_STEPS, steps)
        return _PerFit({"max_steps": few}, steps / few, False)
    return _PerFit({"max_epochs": 1} if epochs > 1 else {}, max(1, epochs), True)
