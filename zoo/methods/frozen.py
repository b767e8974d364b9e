"""Features of a frozen network, computed once per training image where images are not augmented."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from zoo.data.anomalib_internals import split_dataset
from zoo.data.splits import TRAIN
from zoo.methods.progress import say_of

Network = Callable[[Tensor], Sequence[Tensor]]


class FrozenFeatures:
    """What a frozen network says about every training image, in main memory.

    Each image goes through the network alone, so that its features do not depend on the batches of
    an epoch: a training that was interrupted goes on with the same numbers.

    Args:
        of_path: One tensor (C, h, w) float32 per layer for every path of an image.
    """

    def __init__(self, of_path: dict[str, list[Tensor]]) -> None:
        self._of_path = of_path

    @classmethod
    @torch.no_grad()
    def fill(
        cls, module: LightningModule, network: Network, budget_mb: float
    ) -> FrozenFeatures | None:
        """Compute the features of all training images of the module's trainer.

        Call it in `on_train_start`.

        Args:
            module: Its pre-processor prepares the images, its trainer has them.
            network: Frozen, in evaluation mode; (1, 3, H, W) to layers (1, C, h, w).
            budget_mb: Most memory to use, in MB of 10**6 bytes; 0 switches the cache off.

        Returns:
            None where images are augmented, so that they differ from epoch to epoch, or cut into
            tiles, or where the features do not fit into the budget: then compute them batch by
            batch.
        """
        dataset = split_dataset(module.trainer.datamodule, TRAIN)
        # Tiles of an image share its path, and a dataset of tiles has no augmentations of its own.
        if budget_mb <= 0 or getattr(dataset, "augmentations", "unknown") is not None:
            return None
        say, of_path = say_of(module.trainer), {}
        transform = module.pre_processor.transform if module.pre_processor else None
        for index in range(len(dataset)):
            item = dataset[index]
            image = item.image[None].to(module.device)  # (1, 3, H, W)
            layers = network(transform(image) if transform else image)
            kept = [layer[0].float().cpu() for layer in layers]
            n_bytes = sum(layer.numel() * layer.element_size() for layer in kept)
            if n_bytes * len(dataset) > budget_mb * 1e6:
                return None
            of_path[item.image_path] = kept
            say(f"features of the frozen network {index + 1}/{len(dataset)}")
        return cls(of_path)

    def __call__(self, paths: Sequence[str], device: torch.device) -> list[Tensor]:
        """Return the features of some images, one (B, C, h, w) float32 per layer."""
        per_image = [self._of_path[path] for path in paths]
        return [torch.stack(layer).to(device) for layer in zip(*per_image, strict=True)]
