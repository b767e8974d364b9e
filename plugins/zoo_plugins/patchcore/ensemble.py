"""Several PatchCores together: their maps are brought to one scale and averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from anomalib.data import InferenceBatch
from torch import Tensor, nn

from zoo.utils.errors import ZooError
from zoo_plugins.patchcore.torch_model import PatchcoreModel


class PatchcoreEnsemble(nn.Module):
    """One or more members; a single one is passed through as it is.

    Args:
        members: PatchCores with different backbones.
    """

    scale: Tensor

    def __init__(self, members: Sequence[PatchcoreModel]) -> None:
        super().__init__()
        self.members: Any = nn.ModuleList(members)  # PatchcoreModel each
        # Mean and deviation of each member's map on normal images; NaN until they are measured.
        self.register_buffer("scale", torch.full((len(members), 2), torch.nan))

    @property
    def needs_scales(self) -> bool:
        """Whether members have to be brought to one scale."""
        return len(self.members) > 1

    def collect(self, images: Tensor) -> None:
        """Add the patches of normal images (B, 3, H, W) to those that banks will be drawn from."""
        for member in self.members:
            member.collect(images)

    def fit_bank(self, report: Callable[[str], None] = lambda text: None) -> list[str]:
        """Draw all banks, report how far it is, and return what a person should know of them."""
        notes = []
        for index, member in enumerate(self.members):
            bank = f"memory bank {index + 1}/{len(self.members)}"
            notes += member.fit_bank(
                lambda done, total, bank=bank: report(f"{bank}: {done:,}/{total:,} patches")
            )
        return notes

    def measure_scales(self, batches: Iterable[Tensor]) -> None:
        """Set the members' scales from normal validation images, (B, 3, H, W) normalised.

        Raises:
            ZooError: There are no images.
        """
        maps = [_Moments() for _ in self.members]
        with torch.no_grad():
            for images in batches:
                for moments, member in zip(maps, self.members, strict=True):
                    moments.update(member(images)[1])
        if not maps[0].count:
            raise ZooError(
                f"{len(self.members)} backbones need validation images: their scales are measured "
                "on them"
            )
        self.scale.copy_(torch.tensor([moments.mean_and_deviation for moments in maps]))

    def forward(self, images: Tensor) -> InferenceBatch:
        """Score normalised images (B, 3, H, W): image scores (B,) and score maps (B, 1, H, W)."""
        results = [member(images) for member in self.members]
        if not self.needs_scales:
            [(score, score_map)] = results
            return InferenceBatch(pred_score=score, anomaly_map=score_map)
        if not torch.compiler.is_exporting() and self.scale.isnan().any():
            raise ZooError(
                f"the {len(self.members)} backbones have no common scale yet: fit with normal "
                "validation images"
            )
        scores = torch.stack([score for score, _ in results], dim=1)  # (B, members)
        maps = torch.cat([score_map for _, score_map in results], dim=1)  # (B, members, H, W)
        offset, divisor = self.scale.unbind(1)
        maps = (maps - offset[:, None, None]) / divisor[:, None, None]
        # An image score is one patch's distance, in the units of the map.
        return InferenceBatch(
            pred_score=((scores - offset) / divisor).mean(dim=1),
            anomaly_map=maps.mean(dim=1, keepdim=True),
        )


class _Moments:
    """Mean and deviation of a stream of numbers."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def update(self, values: Tensor) -> None:
        """Add numbers of any shape."""
        values = values.double()
        self.count += values.numel()
        self.total += float(values.sum())
        self.squares += float(values.square().sum())

    @property
    def mean_and_deviation(self) -> tuple[float, float]:
        mean = self.total / self.count
        variance = max(self.squares / self.count - mean**2, 0.0)
        return mean, variance**0.5 or 1.0
