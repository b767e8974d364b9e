"""PatchCore in plain torch: a bank of patch embeddings of normal images, and distances to it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from anomalib.models.components import DynamicBufferMixin
from torch import Tensor, nn

from zoo.methods.memory_bank.coreset import Progress, greedy_coreset, random_start
from zoo.methods.memory_bank.embedding import PooledConcatenation
from zoo.methods.memory_bank.neighbours import (
    affinity_bias,
    nearest_neighbour,
    nearest_neighbours,
    static_nearest_distance,
    static_nearest_neighbour,
    static_nearest_neighbours,
)
from zoo.methods.memory_bank.stream import FeatureStream, check_bank
from zoo.methods.weights import FrozenBackbone
from zoo.utils.errors import ZooError
from zoo_plugins.patchcore.score_map import smooth_map

_N_START = 10  # patches that the coreset's first distances are measured from, as in the reference


@dataclass(frozen=True)
class BankSettings:
    """How a memory bank is drawn.

    Attributes:
        sampling_ratio: Share of all patches that the bank keeps, in (0, 1].
        size: Number of patches that it keeps, instead of a share.
        budget_mb: Most memory for features of training images, in MB; beyond it they are sampled.
        dtype: Of the features and of the bank.
    """

    sampling_ratio: float = 0.01
    size: int | None = None
    budget_mb: float = 2000
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 < self.sampling_ratio <= 1:
            raise ZooError(
                f"coreset_sampling_ratio must lie in (0, 1], not {self.sampling_ratio:g}"
            )
        if self.size is not None and self.size < 1:
            raise ZooError(f"bank_size must be 1 or more, not {self.size}")

    def size_for(self, n_patches: int) -> int:
        """Return how many of so many patches shall be kept, at least one."""
        return self.size or max(1, int(self.sampling_ratio * n_patches))


class PatchcoreModel(DynamicBufferMixin, nn.Module):
    """One backbone and its memory bank.

    The arguments are those of `ZooPatchcore`.

    Attributes:
        memory_bank: Shape (M, d); empty until `fit_bank`.
    """

    memory_bank: Tensor
    bank_bias: Tensor

    def __init__(
        self,
        backbone: FrozenBackbone,
        bank: BankSettings,
        embedding: nn.Module | None = None,
        num_neighbors: int = 1,
        squared: bool = False,
        sigma: float = 4.0,
        weight_neighbors: int = 1,
    ) -> None:
        super().__init__()
        if num_neighbors < 1 or weight_neighbors < 1:
            raise ZooError(
                f"num_neighbors {num_neighbors} and weight_neighbors {weight_neighbors} must be 1 "
                "or more"
            )
        self.backbone = backbone
        self.bank = bank
        self.embedding = embedding or PooledConcatenation()
        self.num_neighbors = num_neighbors
        self.weight_neighbors = weight_neighbors
        self.squared = squared
        self.sigma = sigma
        self.register_buffer("memory_bank", torch.empty(0, dtype=bank.dtype))
        self.register_buffer("bank_bias", torch.empty(0))
        self._stream: FeatureStream | None = None

    def embed(self, images: Tensor) -> Tensor:
        """Return patch embeddings (B, d, h, w) of normalised images (B, 3, H, W)."""
        return self.embedding(self.backbone(images))

    def collect(self, images: Tensor) -> None:
        """Add the patches of normal images to those that the bank will be drawn from."""
        if self._stream is None:
            seed = int(torch.randint(2**31, ()))  # follows the seed of the run
            self._stream = FeatureStream(self.bank.budget_mb, seed, self.bank.dtype)
        with torch.no_grad():
            self._stream.add(_rows(self.embed(images)))

    def fit_bank(self, progress: Progress | None = None) -> list[str]:
        """Draw the memory bank from what was collected; return what a person should know of it.

        Args:
            progress: Called with the number of patches drawn and to draw.

        Raises:
            ZooError: Nothing was collected.
        """
        if self._stream is None:
            raise ZooError("no patches were collected: train on normal images first")
        n_seen, was_sampled = self._stream.n_seen, self._stream.is_sample
        features = self._stream.take().to(self.memory_bank.device)
        self._stream = None
        size, width = self.bank.size_for(n_seen), features.shape[1]
        notes = []
        if was_sampled:
            notes.append(
                f"{len(features):,} of {n_seen:,} patches fit into bank_budget_mb of "
                f"{self.bank.budget_mb:g}; they were drawn at random"
            )
        if size > len(features):
            check_bank(min(size, n_seen), width, self.bank.dtype, self.bank.budget_mb)
            notes.append(f"the bank keeps all {len(features):,} patches, fewer than {size:,}")
        start = random_start(len(features), _N_START)
        picks = greedy_coreset(features, size, start, progress=progress)
        if len(picks) < min(size, len(features)):
            notes.append(f"the bank keeps {len(picks):,} patches: the others are the same again")
        self.memory_bank = features[picks].contiguous()
        self.bank_bias = affinity_bias(self.memory_bank)
        return notes

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score normalised images (B, 3, H, W).

        Returns:
            Image scores (B,) and score maps (B, 1, H, W); raw distances, larger is more anomalous.

        Raises:
            ZooError: The bank is empty.
        """
        embedding = self.embed(images)
        batch, _, height, width = embedding.shape
        queries = _rows(embedding)
        distances, indices = self._nearest(queries)
        patch_scores = distances.square() if self.squared else distances  # (B h w, k)
        patch_scores = patch_scores.mean(dim=1).reshape(batch, height, width)
        scores = patch_scores.amax(dim=(1, 2))
        if self.weight_neighbors > 1:
            assert indices is not None  # only looked for where they are asked for
            scores = scores * self._weights(
                queries.reshape(batch, height * width, -1),
                distances[:, 0].reshape(batch, -1),
                indices[:, 0].reshape(batch, -1),
            )
        return scores, smooth_map(patch_scores, (images.shape[-2], images.shape[-1]), self.sigma)

    def _weights(self, queries: Tensor, distances: Tensor, indices: Tensor) -> Tensor:
        """Return the weight of each image's score, (B,): equation 7, of queries (B, P, d)."""
        # 1 - the softmax share of the nearest entry among its own neighbours in the bank.
        n_support = min(self.weight_neighbors, len(self.memory_bank))
        if n_support == 1:  # a bank of one entry: nothing to compare it with
            return distances.new_ones(len(distances))
        farthest = distances.argmax(dim=1, keepdim=True)  # (B, 1)
        patches = queries.gather(1, farthest[:, :, None].expand(-1, -1, queries.shape[2]))
        entries = self.memory_bank[indices.gather(1, farthest).squeeze(1)].float()  # (B, d)
        find = static_nearest_neighbours if _is_exporting() else nearest_neighbours
        support = find(entries, self.memory_bank, n_support, self.bank_bias)[1]  # (B, k)
        to_support = (patches - self.memory_bank[support].float()).square().sum(dim=2).sqrt()
        return 1 - torch.softmax(to_support, dim=1)[:, 0]

    def _nearest(self, queries: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return distances to the nearest entries, (Q, k), and which they are, if anybody asks."""
        if self.num_neighbors > 1:
            k = min(self.num_neighbors, max(1, len(self.memory_bank)))
            find = static_nearest_neighbours if _is_exporting() else nearest_neighbours
            return find(queries, self.memory_bank, k, self.bank_bias)
        distances, indices = self._nearest_one(queries)
        return distances[:, None], None if indices is None else indices[:, None]

    def _nearest_one(self, queries: Tensor) -> tuple[Tensor, Tensor | None]:
        if _is_exporting() and self.weight_neighbors == 1:  # nobody asks where the neighbours are
            squares = static_nearest_distance(queries, self.memory_bank, self.bank_bias)
            return squares.sqrt(), None
        if _is_exporting():
            return static_nearest_neighbour(queries, self.memory_bank, self.bank_bias)
        return nearest_neighbour(queries, self.memory_bank, self.bank_bias)


def _rows(embedding: Tensor) -> Tensor:
    """Return (B, d, h, w) as rows (B h w, d), float32."""
    return embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1]).float()


def _is_exporting() -> bool:
    return torch.compiler.is_exporting() or torch.compiler.is_compiling()
