"""A defect as plain data: which kind, how large, how strong, and the seed of everything else.

Sizes are shares of the image's area, 6 pixels at least; a mask may be up to twice as large.
Strengths are contrasts in units of the local spread of the image (`zoo.data.synthetic.put`), from 6
to 120 grey values. Words stand for ranges that follow upon each other; under the same seed a larger
or stronger defect is the same defect, more of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from types import MappingProxyType

from zoo.utils.errors import ZooError, nearest

SIZES = ("small", "medium", "large")
STRENGTHS = ("faint", "medium", "strong")

# Edges of the three ranges of size: small draws between the first and the second number, and so on.
_AREAS = {
    "cut_paste": (0.0002, 0.0012, 0.008, 0.05),
    "perlin": (0.0002, 0.0012, 0.008, 0.05),
    "scratch": (0.0002, 0.0007, 0.003, 0.012),  # thin: it reaches far with less
    "local_light": (0.0002, 0.0012, 0.008, 0.05),
}
# Edges of the three ranges of strength.
_CONTRASTS = (1.0, 2.0, 4.0, 10.0)

AREAS = MappingProxyType(
    {kind: dict(zip(SIZES, pairwise(edges), strict=True)) for kind, edges in _AREAS.items()}
)
CONTRASTS = MappingProxyType(dict(zip(STRENGTHS, pairwise(_CONTRASTS), strict=True)))
KINDS = tuple(AREAS)


@dataclass(frozen=True)
class Defect:
    """One defect, put into an image by `zoo.data.synthetic.put_defect`.

    Args:
        kind: cut_paste, perlin, scratch or local_light.
        size: small (from 0.02 % of the image's area), medium (from 0.12 %) or large (0.8 % to
            5 %); a scratch takes less, from 0.02 %, 0.07 % and 0.3 % up to 1.2 %.
        strength: faint (a contrast of 1 to 2 local spreads), medium (2 to 4) or strong (4 to 10).
        seed: Fixes place, shape, tone, and size and strength within their ranges.

    Raises:
        ZooError: Unknown kind, size or strength, or seed out of range.

    Example:
        >>> Defect("scratch", "large", "faint", seed=7).to_dict()
        {'kind': 'scratch', 'size': 'large', 'strength': 'faint', 'seed': 7}
    """

    kind: str
    size: str
    strength: str
    seed: int

    def __post_init__(self) -> None:
        _check("kind", self.kind, KINDS)
        _check("size", self.size, SIZES)
        _check("strength", self.strength, STRENGTHS)
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ZooError(
                f"seed of a defect is {self.seed!r}: use a whole number from 0 to 2**63-1"
            )

    def to_dict(self) -> dict[str, str | int]:
        """Return the defect as plain data; ``Defect(**defect.to_dict())`` is the same defect."""
        return asdict(self)


def defects(seed: int, n: int, kinds: Sequence[str] = KINDS) -> list[Defect]:
    """Return a reproducible list of defects of every kind, size and strength.

    Kinds take turns. Three of a kind in a row hold every size and strength once, nine every pair,
    36 every combination of the four kinds. A longer list begins with the shorter one, and leaving a
    kind out leaves the others as they were.

    Raises:
        ZooError: Unknown kind, or none to draw from.
    """
    for kind in kinds:
        _check("kind", kind, KINDS)
    if n > 0 and not kinds:
        raise ZooError(f"no kinds to draw defects from: name some of {', '.join(KINDS)}")
    turns = [_turns(seed, kind) for kind in kinds]
    return [next(turns[index % len(turns)]) for index in range(n)]


def _turns(seed: int, kind: str) -> Iterator[Defect]:
    """Yield defects of one kind without end, nine by nine every size with every strength."""
    draws = random.Random(f"{seed} {kind}")  # Python seeds with texts alike everywhere
    while True:
        sizes, strengths = draws.sample(SIZES, 3), draws.sample(STRENGTHS, 3)
        for shift, index in product(range(3), repeat=2):  # the diagonals of a Latin square
            strength = strengths[(index + shift) % 3]
            yield Defect(kind, sizes[index], strength, draws.randrange(2**32))


def _check(what: str, word: str, valid: Sequence[str]) -> None:
    """Raise a ZooError unless a word is one of the valid ones."""
    if word not in valid:
        raise ZooError(f"unknown {what} of defects {word!r}{nearest(str(word), valid)}")
