"""Where a submission's score maps come from: maps that a run kept, or its model.

Masks are made by `zoo.postprocess.finish` from float32 maps at native size in either case, one
image at a time, so that a result depends neither on other images nor on where an interrupted
command went on.

Maps are written as float16 by one affine map per object, from normal images, for all of its
images. Half precision keeps 11 bits. Scores around 1,000 that differ by 0.1 fall together there,
and beyond 65,504 there is only infinity: raw scores would lose their order, and AU-PRO with it. So
an object's scores are shifted and scaled such that those of normal images lie in [0, 1]. A map of
its own for every image would destroy the order between images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zoo.data import layout
from zoo.data.splits import PRIVATE_SPLITS
from zoo.postprocess.finish import Finished, finish
from zoo.runs.maps import SavedMaps
from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import Image
from zoo.vand.submission.runs import ObjectRun

if TYPE_CHECKING:  # kept maps need no torch
    from zoo.predict.torch_predictor import TorchPredictor

LARGEST = float(np.finfo(np.float16).max)  # 65504
VALIDATION = "validation"


@dataclass(frozen=True)
class Affine:
    """`(score - offset) / scale`, the same for all images of an object; `scale` is above 0."""

    offset: float
    scale: float

    @classmethod
    def of_range(cls, lowest: float, highest: float) -> Affine:
        """Return the map that takes the raw scores of normal pixels, a range, to [0, 1].

        Equal ends shift only.

        Raises:
            ZooError: Not a range.
        """
        if not (math.isfinite(lowest) and math.isfinite(highest) and lowest <= highest):
            raise ZooError(
                f"normal scores from {lowest} to {highest} are no range: calibrate the run again"
            )
        return cls(float(lowest), float(highest - lowest) or 1.0)

    @classmethod
    def of_maps(cls, score_maps: Iterable[np.ndarray]) -> Affine:
        """Return the map of normal images' raw score maps, each (h, w)."""
        ranges = [(float(each.min()), float(each.max())) for each in score_maps]
        if not ranges:
            raise ZooError("no score map of a normal image: nothing to scale by")
        lowest, highest = zip(*ranges, strict=True)
        return cls.of_range(min(lowest), max(highest))

    def encode(self, score_map: np.ndarray) -> tuple[np.ndarray, int]:
        """Return a raw map, float32 (H, W), as float16, and how many scores were cut to its range.

        The order of scores is kept: of two scores, the larger never becomes the smaller.
        """
        # In float32, where neither step can turn an order around.
        scaled = (score_map - np.float32(self.offset)) * np.float32(1 / self.scale)
        n_cut = int(np.count_nonzero(np.abs(scaled) > LARGEST))
        if n_cut:
            np.clip(scaled, -LARGEST, LARGEST, out=scaled)
        return scaled.astype(np.float16), n_cut


class Source(Protocol):
    """Gives the raw score maps of one object, float32 (h, w) at model size."""

    run: ObjectRun

    def score_maps(self, images: Iterable[Image]) -> Iterator[np.ndarray]:
        """Yield the map of each private image."""

    def normal_maps(self) -> Iterator[np.ndarray]:
        """Yield the map of each validation image."""


def source_of(run: ObjectRun, root: Path | None, device: str | None = None) -> Source:
    """Return the cheaper source that a run offers.

    Args:
        run: The run.
        root: The data set; None where it is gone and the run kept its maps.
        device: Where a model runs.

    Raises:
        ZooError: The run kept neither maps nor model, or maps of other images.
    """
    if run.keeps_maps():
        return KeptMaps(run, root)
    if not run.keeps_model:
        raise ZooError(f"run {run.folder} kept neither maps nor model: repeat it with --keep model")
    assert root is not None  # only the kept maps of all runs do without, see `expected_of`
    return FittedModel(run, root, device)


def affine_of(source: Source) -> Affine:
    """Return the map to float16: from the calibration, or from the maps of normal images."""
    calibration = source.run.calibration
    # The range that a normalising rule found is not one of raw scores.
    if calibration.normalisation == "none" and calibration.n_images:
        return Affine.of_range(calibration.normal_min, calibration.normal_max)
    return Affine.of_maps(source.normal_maps())


def finished(source: Source, images: list[Image]) -> Iterator[Finished]:
    """Yield the mask of each image, and its raw map at native size."""
    for image, score_map in zip(images, source.score_maps(images), strict=True):
        yield finish(score_map, image.native_size, source.run.calibration)


class KeptMaps:
    """Reads the maps that a run with `--keep maps` kept; needs no model and no images."""

    def __init__(self, run: ObjectRun, root: Path | None) -> None:
        self.run = run
        self._index = {
            (split, Path(entry["image"]).stem): (saved, index)
            for split in PRIVATE_SPLITS
            for saved in [SavedMaps(run.folder, split)]
            for index, entry in enumerate(saved.entries)
        }
        if root is not None:
            fingerprint = layout.fingerprint(root, run.object_name)
            if run.metrics.get("data_fingerprint", fingerprint) != fingerprint:
                raise ZooError(
                    f"the images of '{run.object_name}' in {root} are not those whose maps run "
                    f"{run.folder} kept: repeat it with --keep maps, or remove its maps"
                )

    def score_maps(self, images: Iterable[Image]) -> Iterator[np.ndarray]:
        """See `Source`."""
        for image in images:
            saved, index = self._index[image.split, image.stem]
            yield saved.read(index)

    def normal_maps(self) -> Iterator[np.ndarray]:
        """See `Source`."""
        saved = SavedMaps(self.run.folder, VALIDATION)
        return map(saved.read, range(len(saved)))


class FittedModel:
    """Scores the images with the run's model, which is loaded when the first one is wanted."""

    def __init__(self, run: ObjectRun, root: Path, device: str | None) -> None:
        self.run, self.root, self.device = run, root, device

    def score_maps(self, images: Iterable[Image]) -> Iterator[np.ndarray]:
        """See `Source`."""
        paths = {(split, p.stem): p for split in PRIVATE_SPLITS for p in self._files(split)}
        return self._scored(paths[image.split, image.stem] for image in images)

    def normal_maps(self) -> Iterator[np.ndarray]:
        """See `Source`."""
        return self._scored(self._files(VALIDATION))

    @cached_property
    def predictor(self) -> TorchPredictor:
        """The run's model, as `zoo.load` gives it."""
        from zoo.runs.load import load_run

        return load_run(self.run.folder, self.device)

    def _files(self, split: str) -> list[Path]:
        listed = layout.samples(self.root, self.run.object_name, split)
        return [sample.image_path for sample in listed]

    def _scored(self, paths: Iterable[Path]) -> Iterator[np.ndarray]:
        return (scored.score_map for scored in self.predictor.scored(paths))
