"""Hours and GB of a reproduction, said first: from a pilot on eight images, scaled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.benchmark.plan import plan
from zoo.benchmark.sealed.view import link
from zoo.data.layout import samples
from zoo.data.splits import FIT_SPLITS, PRIVATE_SPLITS
from zoo.recipes.files import Recipe
from zoo.runs.documents import Cost, read_cost
from zoo.runs.run import run
from zoo.vand.reproduction.images import ObjectImages

_PILOT = {"train": 4, "validation": 2, "test_private": 2}
_PILOT_STEPS = 5
_MAP_BYTES = 2.02  # of a pixel: a float16 score, and its share of a mask
_PACKED = 0.7


@dataclass(frozen=True)
class Estimate:
    """What a reproduction will take.

    Attributes:
        n_images: Images of all splits.
        seconds: Of all fits, calibrations and splits, on this machine.
        folder_bytes: Of maps and masks.
        memory_gb: Main memory that the pilot took; a fit on all images may take more.
    """

    n_images: int
    seconds: float
    folder_bytes: float
    memory_gb: float

    def lines(self) -> list[str]:
        """Say it for people."""
        hours = self.seconds / 3600
        disk, packed = self.folder_bytes / 1e9, _PACKED * self.folder_bytes / 1e9
        return [
            f"{self.n_images} images, about {hours:.1f} h on this machine (a pilot on "
            f"{sum(_PILOT.values())} images, scaled; choosing a coreset grows faster than that)",
            f"{disk:.1f} GB of maps and masks, about {packed:.1f} GB packed; "
            f"{self.memory_gb:.1f} GB of memory in the pilot, more with all images",
        ]


def estimate(
    recipe: Recipe, root: Path, objects: Sequence[ObjectImages], say: Callable[[str], None]
) -> Estimate:
    """Run a recipe on a few images of the object with the largest ones, and scale what it took.

    Raises:
        ZooError: The recipe cannot be run.
    """
    largest = max(objects, key=lambda each: each.private_px / each.counts[PRIVATE_SPLITS[0]])
    with tempfile.TemporaryDirectory(prefix="zoo-pilot-") as folder:
        cost, per_fit = _pilot(recipe, root, largest.name, Path(folder), say)
    phases = {name: entry["wall_s"] for name, entry in cost["phases"].items()}
    seconds = 0.0
    for each in objects:
        n_test = sum(n for split, n in each.counts.items() if split not in FIT_SPLITS)
        share = each.counts["train"] / _PILOT["train"] if per_fit.by_images else 1.0
        seconds += phases["fit"] * per_fit.times * share
        seconds += phases["calibrate"] * each.counts["validation"] / _PILOT["validation"]
        seconds += phases["test_private"] * n_test / _PILOT["test_private"]
    return Estimate(
        sum(sum(each.counts.values()) for each in objects),
        seconds,
        _MAP_BYTES * sum(each.private_px for each in objects),
        cost["memory"]["peak_rss_mb"] / 1000,
    )


@dataclass(frozen=True)
class _PerFit:
    """How a fit grows from the pilot's: by how much, and whether with the number of images too."""

    trainer: dict[str, int]
    times: float
    by_images: bool


def _pilot(
    recipe: Recipe, root: Path, name: str, folder: Path, say: Callable[[str], None]
) -> tuple[Cost, _PerFit]:
    for split, wanted in _PILOT.items():
        for sample in samples(root, name, split)[:wanted]:
            link(sample.image_path, folder / "data" / sample.image_path.relative_to(root))
    [experiment] = plan(
        [str(recipe.path)], folder / "data", None, [0], ["test_private"], folder / "out"
    )
    per_fit = _per_fit(experiment.trainer)
    run(experiment.with_trainer(**per_fit.trainer), say=say)
    return read_cost(experiment.folder), per_fit


def _per_fit(trainer: dict[str, Any]) -> _PerFit:
    """Return how to shorten a fit for the pilot, and how to make up for it."""
    steps, epochs = trainer.get("max_steps") or -1, trainer.get("max_epochs") or 1
    if steps > 0:
        few = min(_PILOT_STEPS, steps)
        return _PerFit({"max_steps": few}, steps / few, False)
    return _PerFit({"max_epochs": 1} if epochs > 1 else {}, max(1, epochs), True)
