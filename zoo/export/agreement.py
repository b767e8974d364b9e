"""How far an exported graph differs from the run that it was made from, and how far it may.

Differences of scores are relative to the normal range, between the 1st and the 99th percentile of
all pixels of the run's maps; far above it, to the score's height above the median. Close calls are
counted apart: normal images that set the limits lie on their very edge, where rounding flips them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished, finish


@dataclass(frozen=True)
class Difference:
    """What differs, or may differ.

    Attributes:
        map: Largest difference of a pixel's score, over the normal range or the score's height.
        score: Largest difference of an image's score, likewise.
        mask: Share of all pixels that differ in the mask, without close calls.
        verdict: Share of images that are anomalous to one and not to the other, of those that are
            no close calls.
        mask_in_all: The share of pixels with close calls.
        verdict_in_all: The share of images with close calls.
    """

    map: float
    score: float
    mask: float
    verdict: float
    mask_in_all: float
    verdict_in_all: float


# From what was measured over the methods of the zoo, with a margin: see docs/exporting.md. Close
# calls are forgiven, but not any number of them.
ALLOWED = {
    "fp32": Difference(0.001, 0.001, 0.00001, 0.0, mask_in_all=0.001, verdict_in_all=0.1),
    "fp16": Difference(0.05, 0.02, 0.0001, 0.0, mask_in_all=0.002, verdict_in_all=0.15),
    "int8": Difference(1.5, 1.0, 0.005, 0.0, mask_in_all=0.03, verdict_in_all=0.35),
}
# How far limits move, as a share of their height, to find close calls.
CLOSE = {"fp32": 0.001, "fp16": 0.02, "int8": 0.25}
_DESCRIPTIONS = {
    "map": ("score map", "of the normal range"),
    "score": ("score", "of the normal range"),
    "mask": ("mask", "of all pixels"),
    "verdict": ("verdict", "of the images that are no close calls"),
    "mask_in_all": ("mask", "of all pixels, close calls included"),
    "verdict_in_all": ("verdict", "of all images, close calls included"),
}
_KEYS = [field.name for field in fields(Difference)]


@dataclass(frozen=True)
class ImageResult:
    """What a run or a graph predicts for one image.

    Attributes:
        name: Of the image.
        score_map: Raw scores at model size, float32 (h, w).
        score: Of the image.
        finished: Mask and verdict.
        calibration: The limits that it was finished with.
    """

    name: str
    score_map: np.ndarray
    score: float
    finished: Finished
    calibration: Calibration


@dataclass(frozen=True)
class Agreement:
    """A graph beside its run.

    Attributes:
        graph: Name of the file.
        precision: fp32, fp16 or int8.
        n_images: How many were compared.
        n_clear: How many of them are no close calls to the run.
        difference: The largest, or the share over all of them.
        worst: The name of the image that differs most, by the fields of `Difference`.
    """

    graph: str
    precision: str
    n_images: int
    n_clear: int
    difference: Difference
    worst: Mapping[str, str]

    def complaints(self, allowed: Difference) -> Iterator[str]:
        """Yield one line for each difference that is larger than allowed."""
        for key, limit in asdict(allowed).items():
            value = getattr(self.difference, key)
            if value > limit:
                name, unit = _DESCRIPTIONS[key]
                yield (
                    f"{self.graph}: the {name} differs from torch by {value:.3g} {unit}, "
                    f"allowed is {limit:g}; most at {self.worst[key]}"
                )


def compare(
    graph: str, precision: str, ours: Sequence[ImageResult], theirs: Sequence[ImageResult]
) -> Agreement:
    """Compare the predictions of a run and of a graph for the same images.

    Args:
        graph: Name of the file.
        precision: Of the graph; decides what is a close call.
        ours: Of the run, in torch.
        theirs: Of the graph; score maps of the same sizes.
    """
    middle, extent = normal_range([result.score_map for result in ours])

    def max_abs_diff(one: np.ndarray | float, other: np.ndarray | float) -> float:
        height = np.maximum(np.abs(np.subtract(one, middle)), extent)
        return float((np.abs(np.subtract(one, other)) / height).max())

    rows = []
    n_clear = n_pixels = 0
    for one, other in zip(ours, theirs, strict=True):
        is_clear, clear_pixels = clear_calls(one, CLOSE[precision], middle)
        differing = one.finished.mask != other.finished.mask
        is_flipped = one.finished.is_anomalous != other.finished.is_anomalous
        n_clear += is_clear
        n_pixels += differing.size
        rows.append(
            Difference(
                map=max_abs_diff(one.score_map, other.score_map),
                score=max_abs_diff(one.score, other.score),
                mask=float(np.count_nonzero(differing & clear_pixels)),
                verdict=float(is_flipped and is_clear),
                mask_in_all=float(np.count_nonzero(differing)),
                verdict_in_all=float(is_flipped),
            )
        )
    whole = Difference(
        map=max(row.map for row in rows),
        score=max(row.score for row in rows),
        mask=sum(row.mask for row in rows) / n_pixels,
        verdict=sum(row.verdict for row in rows) / max(1, n_clear),
        mask_in_all=sum(row.mask_in_all for row in rows) / n_pixels,
        verdict_in_all=sum(row.verdict_in_all for row in rows) / len(rows),
    )
    worst = {key: ours[int(np.argmax([getattr(row, key) for row in rows]))].name for key in _KEYS}
    return Agreement(graph, precision, len(rows), n_clear, whole, worst)


def clear_calls(result: ImageResult, share: float, middle: float) -> tuple[bool, np.ndarray]:
    """Return whether the verdict, and where the mask, stays if all limits move up or down.

    Args:
        result: Of one image.
        share: By which share of their height limits move.
        middle: The raw score from which heights count, where scores are not normalised.

    Returns:
        Whether the verdict stays, and bool (H, W), where the mask stays.
    """
    size = result.finished.mask.shape[0], result.finished.mask.shape[1]
    low, own, high = (
        finish(result.score_map, size, _moved(result.calibration, 1 + by, middle))
        for by in (-share, 0.0, share)
    )
    stays = low.is_anomalous == own.is_anomalous == high.is_anomalous
    return stays, (low.mask == own.mask) & (own.mask == high.mask)


def _moved(calibration: Calibration, factor: float, middle: float) -> Calibration:
    """Return a calibration whose limits are a factor higher above the middle of scores."""
    base = middle if calibration.normalisation == "none" else 0.0  # else they count from a median

    def move(limit: float) -> float:
        return base + factor * (limit - base)

    seed = calibration.seed_threshold
    return replace(
        calibration,
        threshold=move(calibration.threshold),
        seed_threshold=None if seed is None else move(seed),
        min_mass=factor * calibration.min_mass,
    )


def normal_range(score_maps: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the median of all pixels, and how far 1st and 99th percentile are apart, never 0."""
    pixels = np.concatenate([score_map.ravel() for score_map in score_maps])
    low, middle, high = np.quantile(pixels, (0.01, 0.5, 0.99))
    return float(middle), float(max(high - low, np.finfo(np.float32).tiny))


def describe(limits: Mapping[str, Difference]) -> str:
    """Return in one line what each precision may differ by."""
    return "; ".join(
        " ".join([precision, *(f"{key}={value:g}" for key, value in asdict(limit).items())])
        for precision, limit in limits.items()
    )


def table(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Yield a head, and one line per graph."""
    yield f"{'':<38}  {'without close calls':^19}  {'in all':^19}".rstrip()
    yield (
        f"{'graph':<18} {'map':>9} {'score':>9}  {'mask':>9} {'verdicts':>9}  "
        f"{'mask':>9} {'verdicts':>9}"
    )
    for row in agreements:
        share = row.difference
        clear = f"{round(share.verdict * row.n_clear)}/{row.n_clear}"
        flipped = f"{round(share.verdict_in_all * row.n_images)}/{row.n_images}"
        yield (
            f"{row.graph:<18} {share.map:>9.2g} {share.score:>9.2g}  "
            f"{100 * share.mask:>7.3f} % {clear:>9}  {100 * share.mask_in_all:>7.3f} % {flipped:>9}"
        )
