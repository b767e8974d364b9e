"""Where a submission's masks and raw maps come from: maps that a run kept, or its model.

Masks are made by `zoo.postprocess.finish` from float32 maps at native size in either case, one
image at a time, so that a result depends neither on other images nor on where an interrupted
command went on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zoo.data import layout
from zoo.postprocess.finish import Finished, finish
from zoo.runs.documents import read_cost
from zoo.utils.errors import ZooError
from zoo.vand.submission.affine import Affine
from zoo.vand.submission.runs import ObjectRun
from zoo.vand.submission.tree import SPLITS, Image

if TYPE_CHECKING:  # kept maps need no torch
    from zoo.predict.detector import TorchPredictor

VALIDATION = "validation"


class Source(Protocol):
    """Judges the private images of one object."""

    def affine(self) -> Affine:
        """Return the map to float16, from normal images."""

    def judged(self, images: Iterable[Image]) -> Iterator[Finished]:
        """Yield mask and raw map of each image."""


def source_of(run: ObjectRun, root: Path | None, device: str | None = None) -> Source:
    """Return the cheaper source that a run offers.

    Args:
        run: The run.
        root: The data set; None where it is gone and the run kept its maps.
        device: Where a model runs.

    Raises:
        ZooError: The run kept neither maps nor model, or maps of other images.
    """
    if run.has_maps:
        return KeptMaps(run, root)
    if not run.has_model:
        raise ZooError(f"run {run.folder} kept neither maps nor model: repeat it with --keep model")
    return FittedModel(run, root, device)


class KeptMaps:
    """Reads the maps that a run with `--keep maps` kept; needs no model and no images."""

    def __init__(self, run: ObjectRun, root: Path | None) -> None:
        self.run = run
        self._index = {
            (split, Path(entry["image"]).stem): (saved, index)
            for split in SPLITS
            for saved in [run.saved(split)]
            for index, entry in enumerate(saved.entries)
        }
        if root is not None:
            fingerprint = layout.fingerprint(root, run.object_name)
            if run.metrics.get("data_fingerprint", fingerprint) != fingerprint:
                raise ZooError(
                    f"the images of '{run.object_name}' in {root} are not those whose maps run "
                    f"{run.folder} kept: repeat it with --keep maps, or remove its maps"
                )

    def affine(self) -> Affine:
        """Return the map to float16, from the calibration, or the maps of validation images."""
        known = _of_calibration(self.run)
        saved = self.run.saved(VALIDATION)
        if known is None and saved is None:
            raise ZooError(f"run {self.run.folder} kept no maps of normal images: repeat it")
        return known or Affine.of_maps(map(saved.read, range(len(saved))))

    def judged(self, images: Iterable[Image]) -> Iterator[Finished]:
        """Yield mask and raw map of each image."""
        for image in images:
            saved, index = self._index[image.split, image.stem]
            yield finish(saved.read(index), image.native_size, self.run.calibration)


class FittedModel:
    """Scores the images with the run's model, which is loaded when the first one is wanted."""

    def __init__(self, run: ObjectRun, root: Path, device: str | None) -> None:
        self.run, self.root, self.device = run, root, device
        self._detector = None

    def affine(self) -> Affine:
        """Return the map to float16, from the calibration, or by scoring the validation images."""
        known = _of_calibration(self.run)
        if known is not None:
            return known
        listed = layout.samples(self.root, self.run.object_name, VALIDATION)
        scored = self.detector.scored(sample.image_path for sample in listed)
        return Affine.of_maps(each.score_map for each in scored)

    def judged(self, images: Iterable[Image]) -> Iterator[Finished]:
        """Yield mask and raw map of each image."""
        paths = {
            (split, sample.image_path.stem): sample.image_path
            for split in SPLITS
            for sample in layout.samples(self.root, self.run.object_name, split)
        }
        for each in self.detector.scored(paths[image.split, image.stem] for image in images):
            yield finish(each.score_map, each.native_size, self.run.calibration)

    @property
    def detector(self) -> TorchPredictor:
        """The run's model, as `zoo.load` gives it."""
        if self._detector is None:
            from zoo.runs.load import load

            self._detector = load(self.run.folder, self.device)
        return self._detector


def seconds_per_image(run: ObjectRun) -> float:
    """Return about how long the model takes for one private image; 0 where its maps are there."""
    if run.has_maps:
        return 0.0
    try:
        cost = read_cost(run.folder)
        seconds = [
            cost["phases"][split]["wall_s"] / run.metrics["splits"][split]["n_images"]
            for split in (*SPLITS, "test_public")
            if split in cost["phases"]
        ]
        return seconds[0] if seconds else cost["latency"]["mean_ms"] / 1000
    except (ZooError, KeyError, TypeError, ZeroDivisionError):  # not all of it was measured
        return 0.0


def _of_calibration(run: ObjectRun) -> Affine | None:
    """Return the map that a calibration holds, or None: its range is not of raw scores."""
    calibration = run.calibration
    if calibration.normalisation != "none" or not calibration.n_images:
        return None
    return Affine.of_range(calibration.normal_min, calibration.normal_max)
