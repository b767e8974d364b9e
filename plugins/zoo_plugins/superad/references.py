"""The few reference images of SuperAD, and the turned views of each (arXiv 2505.19750)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


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
