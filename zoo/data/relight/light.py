"""A light as plain data: which family of change, how strong, and the seed of everything else.

Strengths are in stops of the pixel value: one stop doubles or halves it. A severity is a range of
strengths, and the ranges of a family follow upon each other, so that a higher severity is always
the stronger change. A seed is one lamp (its side, place, shape and colour): under the same seed a
higher severity is the same lamp turned up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import MappingProxyType

from zoo.utils.errors import ZooError, nearest

# Edges of the five ranges: severity 1 draws between the first and the second number, and so on.
_EDGES = {
    # shutter or lamp power: x 2**-stops, or x 2**(0.65 stops) where it brightens
    "gain": (0.10, 0.20, 0.40, 0.65, 0.95, 1.30),
    # tone curve: exponent 2**stops (darker) or 2**-stops (brighter)
    "gamma": (0.08, 0.16, 0.32, 0.48, 0.64, 0.80),
    # lamp to one side: from x 2**-stops to x 2**stops across the image
    "gradient": (0.10, 0.20, 0.40, 0.60, 0.80, 1.00),
    # narrow beam: its centre is that much brighter than its surroundings
    "spot": (0.15, 0.30, 0.60, 0.90, 1.20, 1.50),
    # warm or cold lamp: red against blue, each by half of it
    "colour_cast": (0.08, 0.16, 0.28, 0.42, 0.58, 0.75),
    # something between lamp and object: x 2**-stops in the core of the shadow
    "shadow": (0.12, 0.25, 0.45, 0.70, 1.00, 1.30),
}
STOPS = MappingProxyType({family: tuple(pairwise(edges)) for family, edges in _EDGES.items()})
FAMILIES = tuple(STOPS)
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Light:
    """One change of light, applied by `zoo.data.relight.relight`.

    Args:
        family: gain, gamma, gradient, spot, colour_cast or shadow.
        severity: 1 (barely visible) to 5 (the edge of what a production line would see).
        seed: Fixes direction, place, shape and the strength within the severity.

    Raises:
        ZooError: Unknown family, or severity or seed out of range.

    Example:
        >>> Light("shadow", severity=3, seed=7).to_dict()
        {'family': 'shadow', 'severity': 3, 'seed': 7}
    """

    family: str
    severity: int
    seed: int

    def __post_init__(self) -> None:
        check_family(self.family)
        check_severity(self.severity)
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ZooError(
                f"seed of a light is {self.seed!r}: use a whole number from 0 to 2**63-1"
            )

    def to_dict(self) -> dict[str, str | int]:
        """Return the light as plain data; ``Light(**light.to_dict())`` is the same light."""
        return asdict(self)


def lights(
    seed: int,
    families: Sequence[str] = FAMILIES,
    severities: Sequence[int] = SEVERITIES,
    per_family: int = 1,
) -> list[Light]:
    """Return a reproducible list of lights, family by family.

    Each family has its own draws: leaving one out, or asking for more per family, leaves every
    other light as it was. Within a family no severity comes back before all others have come.

    Raises:
        ZooError: Unknown family, or severity out of range, or none to draw from.
    """
    for family in families:
        check_family(family)
    for severity in severities:
        check_severity(severity)
    if per_family > 0 and not severities:
        raise ZooError("no severities to draw lights from: name some of 1 to 5")
    listed = []
    for family in families:
        draws = random.Random(f"{seed} {family}")  # Python seeds with texts alike everywhere
        order = draws.sample(list(severities), len(severities))
        listed += [
            Light(family, order[index % len(order)], draws.randrange(2**32))
            for index in range(per_family)
        ]
    return listed


def check_family(family: str) -> None:
    """Raise a ZooError unless `family` is one of FAMILIES."""
    if family not in STOPS:
        raise ZooError(f"unknown family of lights '{family}'{nearest(str(family), FAMILIES)}")


def check_severity(severity: int) -> None:
    """Raise a ZooError unless `severity` is one of SEVERITIES."""
    if not isinstance(severity, int) or severity not in SEVERITIES:
        raise ZooError(f"severity of a light is {severity!r}: use a whole number from 1 to 5")
