"""How far an exported graph may be from the run that it was made from, and how far it is.

Score maps and scores are compared relative to the normal range: what lies between the 1st and the
99th percentile of all pixels of the run's maps. Masks are compared as shares of differing pixels,
verdicts as shares of pictures. Numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from zoo.errors import ZooError, nearest
from zoo.post.finish import Finished


@dataclass(frozen=True)
class Difference:
    """What differs, or may differ.

    Attributes:
        map: Largest difference of a pixel's score, over the normal range.
        score: Largest difference of an image's score, over the normal range.
        mask: Share of all pixels that are marked by one and not by the other.
        verdict: Share of pictures that are anomalous to one and not to the other.
    """

    map: float
    score: float
    mask: float
    verdict: float


# Pillow resizes pictures for graphs, torchvision for runs: a grey level here and there, which tips
# a picture that lies on the very limit, as those that set limits do. fp16 rounds weights to 11
# bits; int8 has other maps, and limits of its own.
ALLOWED = {
    "fp32": Difference(map=0.05, score=0.05, mask=0.001, verdict=0.1),
    "fp16": Difference(map=0.1, score=0.1, mask=0.002, verdict=0.1),
    "int8": Difference(map=2.0, score=2.0, mask=0.03, verdict=0.35),
}


@dataclass(frozen=True)
class Judgement:
    """What one side says about one picture.

    Attributes:
        name: Of the picture.
        score_map: Raw scores at model size, float32 (h, w).
        score: Of the image.
        finished: Mask and verdict.
    """

    name: str
    score_map: np.ndarray
    score: float
    finished: Finished


@dataclass(frozen=True)
class Agreement:
    """A graph beside its run.

    Attributes:
        graph: Name of the file.
        precision: fp32, fp16 or int8.
        n_pictures: How many were compared.
        difference: The largest, or the share over all of them.
        worst: The picture whose map or score differs most, whose mask differs most, and that whose
            verdict differs, by the fields of `Difference`.
    """

    graph: str
    precision: str
    n_pictures: int
    difference: Difference
    worst: Mapping[str, str]

    def complaints(self, allowed: Difference) -> Iterator[str]:
        """Say in one line each what is beyond what is allowed."""
        what = {"map": "score map", "score": "score", "mask": "mask", "verdict": "verdict"}
        for key, limit in asdict(allowed).items():
            found = getattr(self.difference, key)
            if found > limit:
                unit = "of the normal range" if key in ("map", "score") else "of all"
                yield (
                    f"{self.graph}: the {what[key]} differs from torch by {found:.3g} {unit}, "
                    f"allowed is {limit:g}; most at {self.worst[key]}"
                )


def compare(
    graph: str, precision: str, ours: Sequence[Judgement], theirs: Sequence[Judgement]
) -> Agreement:
    """Compare what a run and a graph say about the same pictures.

    Args:
        graph: Name of the file.
        precision: Of the graph.
        ours: What the run says, in torch.
        theirs: What the graph says; score maps of the same sizes.
    """
    scale = normal_range([each.score_map for each in ours])
    rows = []
    for one, other in zip(ours, theirs, strict=True):
        masks = one.finished.mask, other.finished.mask
        rows.append(
            Difference(
                map=float(np.abs(one.score_map - other.score_map).max()) / scale,
                score=abs(one.score - other.score) / scale,
                mask=float(np.mean(masks[0] != masks[1])),
                verdict=float(one.finished.is_anomalous != other.finished.is_anomalous),
            )
        )
    pixels = [each.finished.mask.size for each in ours]
    whole = Difference(
        map=max(row.map for row in rows),
        score=max(row.score for row in rows),
        mask=float(np.average([row.mask for row in rows], weights=pixels)),
        verdict=float(np.mean([row.verdict for row in rows])),
    )
    worst = {key: ours[int(np.argmax([getattr(row, key) for row in rows]))].name for key in _KEYS}
    return Agreement(graph, precision, len(rows), whole, worst)


def normal_range(score_maps: Sequence[np.ndarray]) -> float:
    """Return the distance of the 1st and the 99th percentile of all pixels, never 0."""
    low, high = np.quantile(np.concatenate([each.ravel() for each in score_maps]), (0.01, 0.99))
    return float(max(high - low, np.finfo(np.float32).tiny))


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
    """Return what a graph of a precision may differ by, where a person did not say otherwise."""
    return replace(ALLOWED[precision], **given)


def describe(table: Mapping[str, Difference]) -> str:
    """Say in one line what each precision may differ by."""
    parts = []
    for precision, each in table.items():
        values = " ".join(f"{key}={value:g}" for key, value in asdict(each).items())
        parts.append(f"{precision} {values}")
    return "; ".join(parts)


def table(agreements: Sequence[Agreement]) -> Iterator[str]:
    """Yield one line per graph, and a head."""
    yield f"{'graph':<18} {'map':>9} {'score':>9} {'mask':>9} {'verdicts':>9}"
    for each in agreements:
        found = each.difference
        flipped = round(found.verdict * each.n_pictures)
        yield (
            f"{each.graph:<18} {found.map:>9.2g} {found.score:>9.2g} {100 * found.mask:>7.3f} % "
            f"{f'{flipped}/{each.n_pictures}':>9}"
        )


_KEYS = [field.name for field in fields(Difference)]
