"""Trying candidates one after the other: fit, export, measure, estimate.

Accuracy is estimated without a single real defect: SegF1 on defects that are painted into normal
images, and on normal images under other lights. No candidate has learned from these images or was
calibrated on them, and they are written down, so that a person can see what the estimate rests on.
Real defects look different, and rules of calibration know these lights: the estimate ranks
candidates, it promises nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo import __version__
from zoo.benchmark.attempt import Attempt
from zoo.benchmark.pick.candidates import Candidate
from zoo.benchmark.pick.choice import Row
from zoo.data.file_hashes import fingerprint
from zoo.data.images import find_bit_depth, image_size, read_image
from zoo.data.masks import read_mask
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.synthetic import KINDS, defects, put_defect
from zoo.export.cost import deployed_cost
from zoo.export.precision import Precision
from zoo.metrics import PixelCounts
from zoo.predict.graph import GraphPredictor
from zoo.predict.predictor import Predictor
from zoo.recipes.experiment import load
from zoo.runs.export import NormalImages, export_run, graph_paths, precision_of
from zoo.runs.folder import own_folder
from zoo.utils.atomic import copy_file, write_bytes
from zoo.utils.errors import ZooError, one_line
from zoo.utils.progress import counted

Log = Callable[[str], None]
MIN_IMAGES = 8
_SHARE, _MAX_HELD_OUT = 0.2, 12
_N_DEFECTS, _N_LIGHTS = 3, 2  # of each held-out image
_SEVERITIES = (2, 4)
_SEED = 77_001  # any; not that of a calibration
GRAPHS, RUNS = "exported", "runs"


@dataclass(frozen=True)
class EstimateImage:
    """One image and where its defect is; `mask` is None for one without."""

    path: Path
    mask: Path | None


@dataclass(frozen=True)
class Search:
    """What a search works with.

    Attributes:
        out: Folder of everything that is written.
        fit_on: Folder of the normal images that candidates are fitted on.
        images: Images of the estimate.
        native_size: (H, W) of the images that costs are measured with.
        device: As OpenVINO names it.
        precisions: What is tried.
        seed: Of fits and draws.
    """

    out: Path
    fit_on: Path
    images: Sequence[EstimateImage]
    native_size: tuple[int, int]
    device: str
    precisions: Sequence[Precision]
    seed: int

    def rows(self, candidate: Candidate, log: Log) -> list[Row]:
        """Return one row per precision; a candidate that fails is a row with the reason."""
        try:
            return list(self._rows(candidate, log))
        except Exception as error:  # any method may fail in any way; the others go on
            reason = str(error) if isinstance(error, ZooError) else one_line(error)
            return [Row(candidate.name, name, None, reason=reason) for name in self.precisions]

    def _rows(self, candidate: Candidate, log: Log) -> Iterator[Row]:
        folder = self.out / RUNS / candidate.slug
        log(f"{candidate.name}: fit")
        experiment = load(
            candidate.recipe.path,
            data={
                "class_path": "zoo.data.ImageFolders",
                "init_args": {"good": str(self.fit_on.absolute()), "seed": self.seed},
            },
            seed=self.seed,
            overrides=candidate.overrides,
            folder=folder,
        )
        outcome = Attempt()(experiment, lambda text: None)
        if outcome.state not in ("finished", "skipped"):
            raise ZooError(outcome.text)
        paths = graph_paths(own_folder(folder, GRAPHS), [".xml"], self.precisions)
        export_run(folder, paths, NormalImages(folder), reuse=True, log=log)
        for path in paths:
            precision = precision_of(path)
            log(f"{candidate.name} in {precision}: estimate and cost")
            cost = deployed_cost(path, self.native_size, self.device)
            segf1 = estimate(GraphPredictor(path), self.images)
            graph = path.relative_to(self.out).as_posix()
            yield Row(candidate.name, precision, cost, segf1, graph)


def prepare(
    normal: Sequence[Path],
    out: Path,
    device: str,
    precisions: Sequence[Precision],
    max_images: int,
    seed: int,
) -> Search:
    """Part normal images into those to fit on and those that the estimate is made of.

    Raises:
        ZooError: There are too few.
    """
    if len(normal) < MIN_IMAGES:
        raise ZooError(
            f"{len(normal)} normal images: zoo pick needs {MIN_IMAGES} at least, to learn from, to "
            "calibrate on and to estimate with; 50 make an estimate that tells candidates apart"
        )
    order = np.random.default_rng(seed).permutation(len(normal))[:max_images]
    n_held_out = min(max(2, round(_SHARE * len(order))), _MAX_HELD_OUT)
    held_out = [normal[index] for index in sorted(order[:n_held_out])]
    fitting = [normal[index] for index in sorted(order[n_held_out:])]
    names = [(f"{index:05d}", path) for index, path in enumerate([*held_out, *fitting])]
    key = hashlib.sha256(f"{fingerprint(names)} {seed} {__version__}".encode()).hexdigest()
    # One folder of images per key: other images are not mixed with those of an earlier command.
    folder = out / "images" / key[:8]
    for index, path in enumerate(fitting):
        _link(path, folder / "fit" / f"{index:05d}{path.suffix}")
    images = list(write_images(held_out, folder / "estimate", seed, find_bit_depth(fitting)))
    return Search(out, folder / "fit", images, image_size(fitting[0]), device, precisions, seed)


def write_images(
    normal: Sequence[Path], folder: Path, seed: int, bit_depth: int | None = None
) -> Iterator[EstimateImage]:
    """Write each normal image as it is, relit, and with defects; what is there stays.

    Args:
        normal: Normal images.
        folder: Where to write.
        seed: Draws lights and defects.
        bit_depth: Of 16-bit images.
    """
    for index, path in enumerate(normal):
        pixels, key = read_image(path, bit_depth), f"{index:03d}"
        yield _write(folder / "good" / f"{key}.png", pixels)
        own = _SEED + 1000 * seed + index
        random = np.random.default_rng(own)
        for number, family in enumerate(random.choice(FAMILIES, _N_LIGHTS, replace=False)):
            light = Light(str(family), _SEVERITIES[number % len(_SEVERITIES)], own)
            yield _write(folder / "relit" / f"{key}_{family}.png", relight_image(pixels, light))
        for number, defect in enumerate(defects(own, _N_DEFECTS, KINDS)):
            painted, mask = put_defect(pixels, defect)
            name = f"{key}_{number}.png"
            yield _write(folder / "defect" / name, painted, folder / "mask" / name, mask)


def estimate(predictor: Predictor, images: Sequence[EstimateImage]) -> float | None:
    """Return the estimated SegF1: pooled over all pixels of all images, at native size."""
    counts = PixelCounts()
    for image in counted(images, len(images), "images of the estimate"):
        mask = predictor.predict(image.path).mask
        truth = np.zeros(mask.shape, bool)
        counts.update(mask, truth if image.mask is None else read_mask(image.mask, mask.shape))
    return counts.segf1


def _write(
    path: Path, pixels: np.ndarray, mask_path: Path | None = None, mask: np.ndarray | None = None
) -> EstimateImage:
    if mask_path is not None and mask is not None:
        _save(mask_path, mask.astype(np.uint8) * 255)
    _save(path, np.ascontiguousarray(pixels[..., ::-1]))
    return EstimateImage(path, mask_path)


def _save(path: Path, pixels: np.ndarray) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, cv2.imencode(".png", pixels)[1].tobytes())


def _link(path: Path, place: Path) -> None:
    """Let an image appear in another folder: a link where the system has them, else a copy."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(path.resolve())
    except OSError:
        copy_file(path, place)
