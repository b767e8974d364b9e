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
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.data import layout
from zoo.postprocess.finish import Finished, finish
from zoo.runs.maps import SavedMaps
from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import Image
from zoo.vand.submission.runs import ObjectRun

if TYPE_CHECKING:  # kept maps need no torch
    from zoo.predict.torch_predictor import TorchPredictor

LARGEST = float(np.finfo(np.float16).max)  # 65504


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
        ranges = [(float(map_.min()), float(map_.max())) for map_ in score_maps]
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


class Source:
    """The raw score maps of one object: those that a run with `--keep maps` kept, or its model's.

    Kept maps need no model and no images; a model is loaded when the first map is wanted.

    Args:
        run: The run.
        root: The data set; None where it is gone and the run kept its maps.
        device: Where a model runs.

    Raises:
        ZooError: The run kept neither maps nor model, or maps of other images.
    """

    def __init__(self, run: ObjectRun, root: Path | None, device: str | None = None) -> None:
        self.run, self.root, self.device = run, root, device
        if not run.keeps_maps() and not run.keeps_model:
            raise ZooError(
                f"run {run.folder} kept neither maps nor model: repeat it with --keep model"
            )
        if run.keeps_maps() and root is not None:
            fingerprint = layout.fingerprint(root, run.object_name)
            if run.metrics.get("data_fingerprint", fingerprint) != fingerprint:
                raise ZooError(
                    f"the images of '{run.object_name}' in {root} are not those whose maps run "
                    f"{run.folder} kept: repeat it with --keep maps, or remove its maps"
                )

    def affine(self) -> Affine:
        """Return the map to float16: from the calibration, or from validation images."""
        calibration = self.run.calibration
        # The range that a normalising rule found is not one of raw scores.
        if calibration.normalisation == "none" and calibration.n_images:
            return Affine.of_range(calibration.normal_min, calibration.normal_max)
        return Affine.of_maps(self._score_maps("validation"))

    def finished(self, images: Iterable[Image]) -> Iterator[Finished]:
        """Yield the mask of each image, and its raw map at native size."""
        for split, group in groupby(images, key=lambda image: image.split):
            of_split = list(group)
            score_maps = self._score_maps(split, [image.stem for image in of_split])
            for image, score_map in zip(of_split, score_maps, strict=True):
                yield finish(score_map, image.native_size, self.run.calibration)

    def _score_maps(self, split: str, stems: list[str] | None = None) -> Iterator[np.ndarray]:
        """Yield maps of some images of a split, float32 (h, w) at model size; of all by default."""
        if self.run.keeps_maps():
            saved = SavedMaps(self.run.folder, split)
            places = {Path(entry["image"]).stem: i for i, entry in enumerate(saved.entries)}
            indices = range(len(saved)) if stems is None else [places[stem] for stem in stems]
            return map(saved.read, indices)
        assert self.root is not None  # only runs that all kept maps do without, see `expected_of`
        listed = layout.samples(self.root, self.run.object_name, split)
        paths = [sample.image_path for sample in listed]
        if stems is not None:
            by_stem = {path.stem: path for path in paths}
            paths = [by_stem[stem] for stem in stems]
        return (scored.score_map for scored in self.predictor.scored(paths))

    @cached_property
    def predictor(self) -> TorchPredictor:
        """The run's model, as `zoo.load` gives it."""
        from zoo.runs.rebuild import load_run

        return load_run(self.run.folder, self.device)
