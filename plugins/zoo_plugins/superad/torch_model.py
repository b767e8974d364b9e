"""SuperAD in plain torch: one bank of tokens per layer of a frozen network, and distances to them.

SuperADD's code is CC BY-NC and was not used: what follows it follows its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from anomalib.data import InferenceBatch
from anomalib.models.components import DynamicBufferMixin, GaussianBlur2d
from torch import Tensor, nn
from torch.nn import functional

from zoo.methods.memory_bank.neighbours import (
    affinity_bias,
    nearest_neighbour,
    static_nearest_distance,
)
from zoo.methods.memory_bank.stream import FeatureStream
from zoo.utils.errors import ZooError, nearest
from zoo_plugins.superad.selection import chosen_references, thinned, turned
from zoo_plugins.superad.tokens import TokenBackbone

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class BankSettings:
    """How the banks are filled and searched.

    Attributes:
        size: Most tokens that the bank of a layer keeps.
        budget_mb: Most memory for tokens of training images, all layers together, in MB; beyond it
            they are sampled.
        distance: "cosine" is 1 - cosine (SuperAD), "euclidean" the distance over the number of
            channels (SuperADD).
        half: Keep tokens in float16.

    Raises:
        ZooError: Impossible size, or another distance.
    """

    size: int = 20_000
    budget_mb: float = 1000
    distance: Distance = "cosine"
    half: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.size < 1:
            raise ZooError(f"bank_size is {self.size}, it must be 1 or more")
        choices = get_args(Distance)
        if self.distance not in choices:
            raise ZooError(f"unknown distance '{self.distance}'{nearest(self.distance, choices)}")

    @property
    def dtype(self) -> torch.dtype:
        """How tokens are kept."""
        return torch.float16 if self.half else torch.float32


class TokenBank(DynamicBufferMixin, nn.Module):
    """The tokens of one layer that normal images show.

    Attributes:
        entries: (M, d), empty until `fit`; of length 1 for cosines.
    """

    entries: Tensor
    bias: Tensor

    def __init__(self, settings: BankSettings, n_layers: int) -> None:
        super().__init__()
        self.settings = settings
        self.budget_mb = settings.budget_mb / n_layers
        self.register_buffer("entries", torch.empty(0, dtype=settings.dtype))
        self.register_buffer("bias", torch.empty(0))
        self._stream: FeatureStream | None = None

    def collect(self, tokens: Tensor) -> None:
        """Add tokens (B, d, h, w) of normal images to those that the bank is drawn from."""
        if self._stream is None:
            seed = int(torch.randint(2**31, ()))  # follows the seed of the run
            self._stream = FeatureStream(self.budget_mb, seed, self.settings.dtype)
        self._stream.add(self._rows(tokens))

    def fit(self) -> None:
        """Draw the bank from what was collected.

        Raises:
            ZooError: Nothing was collected.
        """
        if self._stream is None:
            raise ZooError("no tokens were collected: train on normal images first")
        rows, self._stream = self._stream.take(), None
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        kept = rows[thinned(rows, self.settings.size, generator)]
        self.entries = kept.to(self.entries.device)
        self.bias = affinity_bias(self.entries)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the distances of tokens (B, d, h, w) to the nearest entry, (B, 1, h, w)."""
        batch, channels, height, width = tokens.shape
        rows = self._rows(tokens)
        if torch.compiler.is_exporting():
            squares = static_nearest_distance(rows, self.entries, self.bias)
        else:
            squares = nearest_neighbour(rows, self.entries, self.bias)[0].square()
        # Of vectors of length 1 half the squared distance is 1 - cosine.
        distances = squares / 2 if self.settings.distance == "cosine" else squares.sqrt() / channels
        return distances.reshape(batch, 1, height, width)

    def _rows(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, d, h, w) as rows (B h w, d), float32."""
        rows = tokens.permute(0, 2, 3, 1).reshape(-1, tokens.shape[1]).float()
        return functional.normalize(rows) if self.settings.distance == "cosine" else rows


class SuperADModel(nn.Module):
    """One backbone with a bank per layer.

    The arguments are those of `ZooSuperAD`.

    Raises:
        ZooError: A number out of range.
    """

    def __init__(
        self,
        backbone: TokenBackbone,
        bank: BankSettings,
        pooling: int = 1,
        score_top_share: float = 0.01,
        reference_images: int = 0,
        rotations: int = 1,
        sigma: float = 0.0,
    ) -> None:
        super().__init__()
        if pooling < 1 or pooling % 2 == 0 or rotations < 1 or reference_images < 0 or sigma < 0:
            raise ZooError(
                f"pooling {pooling} must be odd, rotations {rotations} 1 or more, "
                f"reference_images {reference_images} and sigma {sigma} 0 or more"
            )
        if not 0 < score_top_share <= 1:
            raise ZooError(f"score_top_share is {score_top_share}, it must lie in (0, 1]")
        self.backbone = backbone
        self.pooling = pooling
        self.score_top_share = score_top_share
        self.reference_images = reference_images
        self.rotations = rotations
        self.banks: Any = nn.ModuleList(
            TokenBank(bank, backbone.n_layers) for _ in range(backbone.n_layers)
        )
        self.blur = GaussianBlur2d(sigma=(sigma, sigma), channels=1) if sigma else nn.Identity()
        self._descriptions: dict[str, Tensor] = {}
        self._references: set[str] | None = None

    @property
    def wants_another_pass(self) -> bool:
        """Whether references were only looked at so far, and not yet learnt."""
        return self.reference_images > 0 and self._references is None

    @torch.no_grad()
    def learn(self, images: Tensor, names: list[str]) -> None:
        """Look at normal images (B, 3, H, W), named by their files; the last pass fills banks."""
        if self.wants_another_pass:
            for name, description in zip(names, self.backbone.describe(images), strict=True):
                self._descriptions[name] = description.float().cpu()
            return
        if self._references is not None:
            images = images[[name in self._references for name in names]]
        if len(images):
            for view in turned(images, self.rotations).split(len(images)):
                for bank, tokens in zip(self.banks, self.tokens(view), strict=True):
                    bank.collect(tokens)

    def end_pass(self) -> bool:
        """Choose references or draw the banks; return whether the banks are ready."""
        if self.wants_another_pass:
            names = sorted(self._descriptions)
            if not names:
                raise ZooError("no images were seen: train on normal images first")
            stacked = torch.stack([self._descriptions[name] for name in names])
            picks = chosen_references(stacked, self.reference_images)
            self._references, self._descriptions = {names[i] for i in picks.tolist()}, {}
            return False
        for bank in self.banks:
            bank.fit()
        self._references = None
        return True

    def tokens(self, images: Tensor) -> list[Tensor]:
        """Return the tokens (B, C_l, h_l, w_l) of every layer of normalised images."""
        maps = self.backbone(images)
        if self.pooling == 1:
            return maps
        half = self.pooling // 2
        return [
            functional.avg_pool2d(layer, self.pooling, 1, half, count_include_pad=False)
            for layer in maps
        ]

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score normalised images (B, 3, H, W): a map (B, 1, H, W) and a score (B,) for each."""
        size = images.shape[-2:]
        scores = [
            bank(tokens) for bank, tokens in zip(self.banks, self.tokens(images), strict=True)
        ]
        maps = [
            functional.interpolate(layer, size, mode="bilinear", align_corners=False)
            for layer in scores
        ]
        score_map = self.blur(torch.stack(maps).mean(0))
        n_top = max(1, int(self.score_top_share * size[0] * size[1]))
        top = score_map.flatten(1).topk(n_top, dim=1).values
        return InferenceBatch(anomaly_map=score_map, pred_score=top.mean(1))
