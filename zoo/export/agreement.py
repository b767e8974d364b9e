"""How far an exported graph may be from the run that it was made from, and how far it is.

Differences of scores count relative to the normal range, which is what lies between the 1st and the
99th percentile of all pixels of the run's maps; far above it, relative to the score's own height
above the median: a peak of ten ranges needs no more digits than one of a single range. Masks are
compared as shares of differing pixels, verdicts as shares of pictures. Numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from zoo.export.close_calls import Clear, clear_calls
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import Finished
from zoo.utils.errors import ZooError, nearest


@dataclass(frozen=True)
class Difference:
    """What differs, or may differ.

    Attributes:
        map: Largest difference of a pixel's score, over the normal range or the score's height.
        score: Largest difference of an image's score, likewise.
        mask: Share of all pixels that are marked by one and not by the other, close calls aside.
        verdict: Share of pictures that are anomalous to one and not to the other, of those that
            are no close calls.
        mask_in_all: The share of pixels with close calls.
        verdict_in_all: The share of pictures with close calls.
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
# How far limits move, as a share of their height, to tell what is a close call.
CLOSE = {"fp32": 0.001, "fp16": 0.02, "int8": 0.25}


@dataclass(frozen=True)
class ImageResult:
    """What one side says about one picture.

    Attributes:
        name: Of the picture.
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

    def clear(self, share: float, middle: float) -> Clear:
        """Return what is no close call, see `clear_calls`."""
        size = self.finished.mask.shape
        return clear_calls(self.score_map, self.score, size, self.calibration, share, middle)


@dataclass(frozen=True)
class Agreement:
    """A graph beside its run.

    Attributes:
        graph: Name of the file.
        precision: fp32, fp16 or int8.
        n_pictures: How many were compared.
        n_clear: How many of them are no close calls to the run.
        difference: The largest, or the share over all of them.
        worst: The picture whose map or score differs most, whose mask differs most, and that whose
            verdict differs, by the fields of `Difference`.
    """

    graph: str
    precision: str
    n_pictures: int
    n_clear: int
    difference: Difference
    worst: Mapping[str, str]

    def complaints(self, allowed: Difference) -> Iterator[str]:
        """Say in one line each what is beyond what is allowed."""
        for key, limit in asdict(allowed).items():
            found = getattr(self.difference, key)
            if found > limit:
                what, unit = _WORDS[key]
                yield (
                    f"{self.graph}: the {what} differs from torch by {found:.3g} {unit}, "
                    f"allowed is {limit:g}; most at {self.worst[key]}"
                )


def compare(
    graph: str, precision: str, ours: Sequence[ImageResult], theirs: Sequence[ImageResult]
) -> Agreement:
    """Compare what a run and a graph say about the same pictures.

    Args:
        graph: Name of the file.
        precision: Of the graph; says what is a close call.
        ours: What the run says, in torch.
        theirs: What the graph says; score maps of the same sizes.
    """
    middle, extent = normal_range([each.score_map for each in ours])

    def max_abs_diff(one: np.ndarray | float, other: np.ndarray | float) -> float:
        height = np.maximum(np.abs(np.subtract(one, middle)), extent)
        return float((np.abs(np.subtract(one, other)) / height).max())

    rows = []
    n_clear = n_pixels = 0
    for one, other in zip(ours, theirs, strict=True):
        clear = one.clear(CLOSE[precision], middle)
        differing = one.finished.mask != other.finished.mask
        is_flipped = one.finished.is_anomalous != other.finished.is_anomalous
        n_clear += clear.verdict
        n_pixels += differing.size
        rows.append(
            Difference(
                map=max_abs_diff(one.score_map, other.score_map),
                score=max_abs_diff(one.score, other.score),
                mask=float(np.count_nonzero(differing & clear.pixels)),
                verdict=float(is_flipped and clear.verdict),
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


def normal_range(score_maps: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the median of all pixels, and how far 1st and 99th percentile are apart, never 0."""
    pixels = np.concatenate([each.ravel() for each in score_maps])
    low, middle, high = np.quantile(pixels, (0.01, 0.5, 0.99))
    return float(middle), float(max(high - low, np.finfo(np.float32).tiny))


def parse_tolerance(words: Sequence[str]) -> dict[str, float]:
    """Return what `mask=0.01 verdict=0` says.

    Raises:
        ZooError: Another key, or no number of 0 or more.
    """
    given = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in _KEYS:
            raise ZooError(f"--tolerance {word}: no key '{key}'{nearest(key, _KEYS)}")
        try:
            given[key] = float(value)
        except ValueError:
            given[key] = -1.0
        if not given[key] >= 0:
            raise ZooError(f"--tolerance {word}: give a number of 0 or more, such as {key}=0.01")
    return given


def allowed(precision: str, given: Mapping[str, float]) -> Difference:
    """Return what a graph of a precision may differ by, where a person did not say otherwise.

    What is allowed without close calls is allowed with them, too.
    """
    limits = replace(ALLOWED[precision], **given)
    return replace(
        limits,
        mask_in_all=max(limits.mask, limits.mask_in_all),
        verdict_in_all=max(limits.verdict, limits.verdict_in_all),
    )


def describe(table: Mapping[str, Difference]) -> str:
    """Say in one line what each precision may differ by."""
    parts = []
    for precision, each in table.items():
        values = " ".join(f"{key}={value:g}" for key, value in asdict(each).items())
        parts.append(f"{precision} {values}")
    return "; ".join(parts)


def table(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Yield a head, and one line per graph."""
    yield f"{'':<38}  {'without close calls':^19}  {'in all':^19}".rstrip()
    yield (
        f"{'graph':<18} {'map':>9} {'score':>9}  {'mask':>9} {'verdicts':>9}  "
        f"{'mask':>9} {'verdicts':>9}"
    )
    for each in agreements:
        found = each.difference
        clear = f"{round(found.verdict * each.n_clear)}/{each.n_clear}"
        flipped = f"{round(found.verdict_in_all * each.n_pictures)}/{each.n_pictures}"
        yield (
            f"{each.graph:<18} {found.map:>9.2g} {found.score:>9.2g}  "
            f"{100 * found.mask:>7.3f} % {clear:>9}  {100 * found.mask_in_all:>7.3f} % {flipped:>9}"
        )


_WORDS = {
    "map": ("score map", "of the normal range"),
    "score": ("score", "of the normal range"),
    "mask": ("mask", "of all pixels"),
    "verdict": ("verdict", "of the pictures that are no close calls"),
    "mask_in_all": ("mask", "of all pixels, close calls included"),
    "verdict_in_all": ("verdict", "of all pictures, close calls included"),
}
_KEYS = [field.name for field in fields(Difference)]
