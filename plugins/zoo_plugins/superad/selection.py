"""What SuperAD's banks are filled with: reference images, turned views, and thinned tokens.

After the papers arXiv 2505.19750 and 2605.14808; SuperADD's code (CC BY-NC) was not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from zoo.utils.errors import ZooError


def chosen_references(descriptions: Tensor, n_picks: int) -> Tensor:
    """Return which images represent all others, int64, in the order of the picks.

    Greedy k-centre on the full matrix of Euclidean distances. The first distances are the lengths
    of the matrix's rows, as in the reference: the first pick is the image that is farthest from all
    others together.

    Args:
        descriptions: One vector per image, (N, d).
        n_picks: How many; all when there are fewer.
    """
    distances = torch.cdist(
        descriptions.float(), descriptions.float(), compute_mode="donot_use_mm_for_euclid_dist"
    )
    nearest = distances.norm(dim=1)
    picks = []
    for _ in range(min(n_picks, len(descriptions))):
        picks.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, distances[picks[-1]])
        nearest[picks] = -1.0  # identical images are at distance 0 too, and are picks of their own
    return torch.tensor(picks, dtype=torch.int64)


def turned(images: Tensor, n_views: int) -> Tensor:
    """Return images turned about their centre in equal steps, the unturned ones first.

    Args:
        images: (B, 3, H, W).
        n_views: How many views of each; 8 are steps of 45 degrees.

    Returns:
        (n_views * B, 3, H, W): on the same canvas, bilinear, mirrored beyond the border.
    """
    height, width = images.shape[-2:]
    views = [images]
    for view in range(1, n_views):
        angle = 2 * math.pi * view / n_views
        cosine, sine = math.cos(angle), math.sin(angle)
        # In coordinates that run from -1 to 1 along each side.
        matrix = [[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]
        theta = images.new_tensor(matrix).expand(len(images), 2, 3)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        views.append(
            functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        )
    return torch.cat(views)


N_ROUNDS = 100
_NEIGHBOURS = 100
_NEAR = 0.1  # of the mean distance to the neighbours
_GROWTH = 1.1
_QUERY_BLOCK = 1024

# Of so many tokens that are left, so many: their positions, and one uniform number for each.
Draw = Callable[[int, int], tuple[Tensor, Tensor]]


def thinned(
    features: Tensor,
    n_keep: int,
    generator: Generator | None = None,
    n_rounds: int = N_ROUNDS,
    draw: Draw | None = None,
) -> Tensor:
    """Return which tokens stay, int64 (n_keep,), ascending; all where there are no more.

    Each round looks at 1 / `n_rounds` of all tokens, drawn among those that do not stay yet, and
    keeps `n_keep` / `n_rounds` of them at most, see `kept_in_round`. What is missing in the end is
    drawn at random.

    Args:
        features: (N, d).
        n_keep: How many shall stay.
        generator: Of all draws, on the CPU.
        n_rounds: Number of rounds.
        draw: Stands in for the generator's draws.

    Raises:
        ZooError: There is no token, or none shall stay.
    """
    if len(features) == 0 or n_keep < 1:
        raise ZooError(f"{n_keep} of {len(features)} tokens cannot be kept: take 1 or more of some")
    if n_keep >= len(features):
        return torch.arange(len(features))
    draw = draw or _drawn_by(generator)
    stays = torch.zeros(len(features), dtype=torch.bool)
    target, share = max(1, n_keep // n_rounds), max(1, len(features) // n_rounds)
    for _ in range(n_rounds):
        room = min(target, n_keep - int(stays.sum()))
        left = (~stays).nonzero().squeeze(1)
        if room < 1:
            break
        positions, uniforms = draw(len(left), min(share, len(left)))
        chosen = left[positions]
        stays[chosen[kept_in_round(features[chosen.to(features.device)], room, uniforms)]] = True
    left = (~stays).nonzero().squeeze(1)
    missing = n_keep - int(stays.sum())
    if missing:
        stays[left[draw(len(left), missing)[0]]] = True
    return stays.nonzero().squeeze(1)


def kept_in_round(features: Tensor, target: int, uniforms: Tensor) -> Tensor:
    """Return which of a few tokens stay, bool (n,): at most `target`, the lonely ones rather.

    A token with m tokens nearer than a tenth of the mean distance to the 100 nearest, itself
    counted, stays with probability 1 / (1 + m). While too many stay the radius grows by a tenth.

    Args:
        features: (n, d).
        target: Most that stay.
        uniforms: One number in [0, 1) per token, the same for all radii.
    """
    if len(features) <= target:
        return torch.ones(len(features), dtype=torch.bool)
    distances = _to_neighbours(features.float(), min(_NEIGHBOURS, len(features)))
    radius = float(distances.mean()) * _NEAR
    while radius > 0:
        crowd = (distances < radius).sum(dim=1).cpu()
        stays = uniforms < 1 / (1 + crowd)
        if int(stays.sum()) <= target:
            return stays
        if int(crowd.min()) == distances.shape[1]:
            break  # more than 1 in 101 of all: no radius makes them fewer
        radius *= _GROWTH
    stays = torch.zeros(len(features), dtype=torch.bool)
    stays[uniforms.topk(target, largest=False).indices] = True
    return stays


def _to_neighbours(features: Tensor, k: int) -> Tensor:
    """Return distances to the k nearest, itself with distance 0 the first, (n, k)."""
    parts = []
    for start in range(0, len(features), _QUERY_BLOCK):
        rows = torch.cdist(features[start : start + _QUERY_BLOCK], features)
        rows.diagonal(start).zero_()
        parts.append(rows.topk(k, largest=False).values)
    return torch.cat(parts)


def _drawn_by(generator: Generator | None) -> Draw:
    def draw(n_left: int, n_wanted: int) -> tuple[Tensor, Tensor]:
        # The positions of the smallest of random numbers: no permutation of millions is sorted.
        positions = torch.rand(n_left, generator=generator).topk(n_wanted, largest=False).indices
        return positions, torch.rand(n_wanted, generator=generator, dtype=torch.float64)

    return draw
