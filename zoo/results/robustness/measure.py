"""Measures one run under every family and severity of light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from zoo.data.datamodule import NativeDataModule
from zoo.data.images import read_image
from zoo.data.relight import Light, relight_image
from zoo.data.sample import Sample
from zoo.data.transforms import leading_resize, to_model_size
from zoo.metrics import PixelCounts
from zoo.postprocess.finish import finish
from zoo.predict.scenes import evenly
from zoo.predict.torch_predictor import TorchPredictor
from zoo.utils.errors import ZooError
from zoo.utils.progress import counted

CLEAN = "clean"
_TRAINING_LIGHT = "_regular"  # how MVTec AD 2 names images under the light of train
_MOST_PIXELS = 2_000_000  # of one batch of relit images


@dataclass(frozen=True)
class LightScore:
    """SegF1 of one object under one kind of light.

    Attributes:
        recipe: The run's recipe.
        object: The object.
        family: A family of light, or "clean" for the images as they are.
        severity: 1 to 5; 0 for clean.
        segf1: In [0, 1]; None where no pixel is marked and none is to be.
        drop: Relative loss from clean; None where clean is 0 or None.
        n_images: How many images.
        seen: Where the run has seen the family: "", "calibration", "training" or both.
        settings_hash: Tells runs of one recipe with other settings apart.
    """

    recipe: str
    object: str
    family: str
    severity: int
    segf1: float | None
    drop: float | None
    n_images: int
    seen: str
    settings_hash: str | None = None

    def to_dict(self) -> dict:
        """Return the score as plain data."""
        return asdict(self)


def under_lights(
    detector: TorchPredictor,
    samples: Sequence[Sample],
    families: Sequence[str],
    severities: Sequence[int],
    seed: int,
) -> dict[tuple[str, int], float | None]:
    """Return SegF1 by (family, severity), with ("clean", 0) for the images as they are.

    Args:
        detector: A fitted detector; its thresholds stay what they are.
        samples: Labelled images.
        families: Families of light.
        severities: Severities; under one seed a higher one is the same lamp turned up.
        seed: Draws one lamp per image and family.

    Raises:
        ZooError: The model judges an image with the help of others.
    """
    if getattr(detector.model, "transductive", False):
        raise ZooError(
            "a transductive model judges whole splits: it cannot be asked image by image"
        )
    counts = {(CLEAN, 0): PixelCounts()}
    counts |= {(family, each): PixelCounts() for family in families for each in severities}
    resize = leading_resize(getattr(detector.model.pre_processor, "transform", None))
    for index, sample in enumerate(counted(samples, len(samples), "images under all lights")):
        pixels = detector.read(sample.image_path)
        truth = sample.truth(pixels.shape[:2])
        small = to_model_size(pixels, resize)
        for key, score_map in _scored(detector, small, pixels.shape[:2], list(counts), seed, index):
            finished = finish(score_map, pixels.shape[:2], detector.calibration)
            counts[key].update(finished.mask, truth)
    return {key: each.segf1 for key, each in counts.items()}


def labelled(datamodule: NativeDataModule, split: str, most: int | None) -> list[Sample]:
    """Return the images of a split that are under the training light, evenly thinned to `most`.

    Raises:
        ZooError: There is no such split, it is empty, or its truth is not known here.
    """
    found = datamodule.listed(split)
    if not all(sample.has_truth for sample in found):
        raise ZooError(f"'{split}' of '{datamodule.object_name}' has no ground truth here")
    regular = [each for each in found if each.image_path.stem.endswith(_TRAINING_LIGHT)]
    found = regular or found
    return [found[index] for index in evenly(len(found), most or len(found))]


def light_scores(
    scores: dict[tuple[str, int], float | None],
    recipe: str,
    object_name: str,
    n_images: int,
    seen: dict[str, tuple[str, ...]],
    settings_hash: str | None = None,
) -> list[LightScore]:
    """Return scores as rows, with the drop from the images as they are."""
    clean = scores[CLEAN, 0]
    return [
        LightScore(
            recipe,
            object_name,
            family,
            severity,
            segf1,
            None if not clean else (clean - segf1) / clean,
            n_images,
            " and ".join(seen.get(family, ())),
            settings_hash,
        )
        for (family, severity), segf1 in scores.items()
    ]


def relit_copies(
    path: Path,
    families: Sequence[str],
    severities: Sequence[int],
    seed: int,
    bit_depth: int | None = None,
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield (family, severity, pixels) of one picture at its own size, uint8 (H, W, 3)."""
    pixels = read_image(path, bit_depth)
    for family in families:
        for severity in severities:
            yield family, severity, relight_image(pixels, Light(family, severity, seed))


def _scored(
    detector: TorchPredictor,
    small: np.ndarray,
    native_size: tuple[int, int],
    keys: list[tuple[str, int]],
    seed: int,
    index: int,
) -> Iterator[tuple[tuple[str, int], np.ndarray]]:
    """Yield the score map of one image under each light, as many at a time as memory bears."""
    size = max(1, _MOST_PIXELS // (small.shape[0] * small.shape[1]))
    for begin in range(0, len(keys), size):
        part = keys[begin : begin + size]
        lit = [
            small if family == CLEAN else relight_image(small, Light(family, each, seed + index))
            for family, each in part
        ]
        for key, scored in zip(
            part, detector.score_images(lit, [native_size] * len(lit)), strict=True
        ):
            yield key, scored.score_map
