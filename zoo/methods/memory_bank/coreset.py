"""Greedy k-centre coresets (Gonzalez, 1985): pick the point that is farthest from all picks, again.

Distances to the nearest pick only ever shrink, so an old distance is an upper bound. The candidates
with the largest old distances form a pool; picks are made inside it while its farthest is farther
than the old distance of every point outside. Then all points are brought up to date with all new
picks in one matrix product. The picks are those of the plain procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zoo.methods.memory_bank.neighbours import (
    affinities,
    affinity_bias,
    largest_affinities,
    nearest_neighbour,
)
from zoo.utils.errors import ZooError

ROW_BLOCK = 1024
POOL = 4096  # candidates that are looked at for every single pick
MOST_PICKS = 2048  # of one pool, before all points are brought up to date
# Squared distances of a point below this share of its squared norm are rounding errors of float32.
_RESOLUTION = 1e-5

Progress = Callable[[int, int], None]


def greedy_coreset(
    features: Tensor,
    n_picks: int,
    start: Sequence[int] | Tensor,
    keep_start: bool = False,
    progress: Progress | None = None,
) -> Tensor:
    """Pick a subset that covers all points with a small radius.

    Args:
        features: Shape (N, d), any floating type; not copied.
        n_picks: How many to pick; all points when there are fewer. Fewer are picked when the points
            that are left coincide with picks as far as float32 can tell (identical images).
        start: Rows that the first distances are measured from: the mean of the distances to them,
            as the reference does with ten. `random_start` draws them.
        keep_start: Whether the starting rows are picks too (anomalib: one, which is kept).
        progress: Called with the number of picks made and of picks to make.

    Returns:
        Rows in the order of the picks, int64 (n_picks,).

    Raises:
        ZooError: No features, no start, or no picks.
    """
    start = torch.as_tensor(start, dtype=torch.int64, device=features.device).flatten()
    if features.ndim != 2 or len(features) == 0 or len(start) == 0:
        raise ZooError("a coreset needs features (N, d) and a start; there are none: add images")
    if n_picks < 1:
        raise ZooError(f"a coreset of {n_picks} cannot be drawn: ask for 1 or more")
    if n_picks >= len(features):
        return torch.arange(len(features), device=features.device)
    selection = _Selection(features, n_picks, progress or (lambda done, total: None))
    selection.begin(start, keep_start)
    while selection.pick_some():
        pass
    return torch.cat(selection.picks)


def coverage_radius(features: Tensor, picks: Tensor) -> float:
    """Return the largest Euclidean distance of any row of `features` to its nearest pick."""
    return float(nearest_neighbour(features, features[picks])[0].max())


def random_start(n_points: int, n_start: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw different rows to start from, int64 (n_start,), or all rows when there are fewer."""
    return torch.randperm(n_points, generator=generator)[:n_start]


@dataclass
class _Selection:
    """The state of one selection; squared distances throughout, halved.

    Attributes:
        points: Shape (N, d).
        n_picks: How many to pick.
        progress: Called after every round.
        picks: Indices, round by round.
    """

    points: Tensor
    n_picks: int
    progress: Progress
    picks: list[Tensor] = field(default_factory=list)

    def begin(self, start: Tensor, keep_start: bool) -> None:
        """Measure all points from the start."""
        self.bias = affinity_bias(self.points)  # -|x|^2 / 2
        self.distances = self._mean_distances(start).square() / 2  # (N,)
        # Of every point by itself: one that is far out makes no other one coincide with a pick.
        self.resolution = -_RESOLUTION * self.bias  # (N,)
        self.coarsest = float(self.resolution.max())
        if keep_start:
            self._add(start[: self.n_picks])

    def pick_some(self) -> bool:
        """Make the picks of one pool and update all points; return whether to continue."""
        missing = self.n_picks - sum(map(len, self.picks))
        if missing <= 0:
            return False
        upper, pool = self.distances.topk(min(POOL, len(self.points)), sorted=False)
        chosen = self._pick_in_pool(pool, upper, min(missing, MOST_PICKS))
        if len(chosen) == 0:  # every point that is left lies on a pick
            return False
        self._add(chosen)
        self.progress(sum(map(len, self.picks)), self.n_picks)
        return True

    def _pick_in_pool(self, pool: Tensor, upper: Tensor, most: int) -> Tensor:
        """Pick while the farthest of the pool is the farthest of all."""
        outside = float(upper.min()) if len(pool) < len(self.points) else 0.0
        points, bias, distances = self.points[pool].float(), self.bias[pool], upper.clone()
        resolution = self.resolution[pool]
        chosen: list[int] = []
        farthest, position = distances.max(0)
        while len(chosen) < most and float(farthest) >= outside:
            if float(farthest) <= self.coarsest and (chosen or self.picks):
                distances.masked_fill_(distances <= resolution, 0)
                farthest, position = distances.max(0)
                if float(farthest) <= 0 or float(farthest) < outside:
                    break
            best = int(position)
            chosen.append(best)
            # |x - c|^2 / 2 = |x|^2 / 2 + |c|^2 / 2 - x.c
            to_pick = torch.mv(points, points[best]).add_(bias).add_(bias[best]).neg_()
            torch.minimum(distances, to_pick, out=distances)
            distances[best] = 0  # whatever rounding made of it
            farthest, position = distances.max(0)
        return pool[torch.tensor(chosen, dtype=torch.int64, device=pool.device)]

    def _add(self, chosen: Tensor) -> None:
        """Bring the distances of all points up to date with new picks."""
        self.picks.append(chosen)
        centres, bias = self.points[chosen].float(), self.bias[chosen]
        for begin in range(0, len(self.points), ROW_BLOCK):
            rows = slice(begin, begin + ROW_BLOCK)
            points, distances = self.points[rows].float(), self.distances[rows]
            nearest = largest_affinities(points, centres, bias).amax(dim=1)
            torch.minimum(distances, -(nearest + self.bias[rows]), out=distances)
            distances.masked_fill_(distances <= self.resolution[rows], 0)
        self.distances[chosen] = 0

    def _mean_distances(self, start: Tensor) -> Tensor:
        """Return the mean Euclidean distance of every point to the starting rows, (N,)."""
        centres, bias = self.points[start].float(), self.bias[start]
        parts = [
            (affinities(points.float(), centres, bias) + norms[:, None])
            .mul_(-2)
            .clamp_min_(0)
            .sqrt_()
            .mean(dim=1)
            for points, norms in zip(
                self.points.split(ROW_BLOCK), self.bias.split(ROW_BLOCK), strict=True
            )
        ]
        return torch.cat(parts)
