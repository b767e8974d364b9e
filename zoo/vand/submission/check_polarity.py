"""Whether maps and masks say the same: scores are higher inside a mask than outside."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from zoo.vand.submission.finding import Finding
from zoo.vand.submission.tree import MASKS, Image

_MOST_SAMPLES = 1 << 16  # enough for a median
_FEW = 3  # below that a majority means nothing


@dataclass
class _Tally:
    """Of one object: images, those with anything marked, those that compare, those at odds."""

    n: int = 0
    marked: int = 0
    compared: int = 0
    at_odds: int = 0


@dataclass
class Polarity:
    """Compares pair after pair, and says at the end what is turned around.

    One pair at odds is a warning: a mask may have been closed or filled. If most pairs of an object
    are, its maps, its masks or their order is wrong.
    """

    _tallies: dict[str, _Tally] = field(default_factory=lambda: defaultdict(_Tally))

    def update(self, image: Image, score_map: np.ndarray, mask: np.ndarray) -> list[Finding]:
        """Compare one map, float16 (H, W), with its mask, bool (H, W)."""
        tally = self._tallies[image.object_name]
        tally.n += 1
        n_marked = int(np.count_nonzero(mask))
        if n_marked == 0:
            return []
        tally.marked += 1
        where = image.place(MASKS)
        if n_marked == mask.size:
            return [Finding(where, "all of the image is marked", "full mask", "warning")]
        tally.compared += 1
        inside, outside = _median(score_map[mask]), _median(score_map[~mask])
        if inside > outside:
            return []
        tally.at_odds += 1
        text = f"median score {inside:.4g} inside the mask, {outside:.4g} outside"
        return [Finding(where, text, "mask and map at odds", "warning")]

    def result(self) -> list[Finding]:
        """Return what all pairs of an object tell together."""
        found = []
        for name, tally in self._tallies.items():
            if tally.compared >= _FEW and 2 * tally.at_odds > tally.compared:
                text = (
                    f"{tally.at_odds} of {tally.compared} masks mark the lower scores: larger "
                    "scores must be more anomalous, 255 must mark anomalies, names must agree"
                )
                found.append(Finding(name, text, "polarity"))
            elif tally.marked == 0:
                text = f"no pixel is marked in any of {tally.n} images: SegF1 will be 0"
                found.append(Finding(name, text, "nothing marked", "warning"))
        return found


def _median(scores: np.ndarray) -> float:
    step = max(1, len(scores) // _MOST_SAMPLES)
    return float(np.median(scores[::step].astype(np.float32)))
