"""Pre-processors that keep the aspect ratio, of whole images or of their tiles.

A batch of images becomes one of tiles before a step, and the maps of the tiles become those of the
images after it: a method needs to know nothing of tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from anomalib.data import Batch, ImageBatch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import Compose, Transform
from torchvision.transforms.v2.functional import resize
from torchvision.tv_tensors import Image, Mask

from zoo.data.anomalib_internals import (
    get_exportable_transform,
    spec_to_transform,
    transform_to_spec,
)
from zoo.data.dataset import native_sizes
from zoo.data.tiling.grid import MAX_TILED_PIXELS, Grid, Layout
from zoo.data.tiling.stitch import Seams, check_seams, cut, stitch
from zoo.data.transforms import Scaled, ZooPreProcessor
from zoo.utils.errors import ZooError

Step = Callable[[Batch], Batch]


class ScaledPreProcessor(ZooPreProcessor):
    """Scale whole images with their aspect ratio kept, then apply a transform.

    Args:
        resize: How images are scaled.
        transform: What follows, such as Normalize; anomalib must be able to save it.
        map_reduction: In our runs score maps get the native size divided by this; 1 leaves them as
            the method gives them.
    """

    def __init__(
        self, resize: Scaled, transform: Transform | None = None, map_reduction: int = 1
    ) -> None:
        super().__init__()
        if map_reduction < 1:
            raise ZooError(f"map_reduction is {map_reduction}, it must be 1 or more")
        self._set(resize, transform, map_reduction)

    def _set(self, resize: Scaled, transform: Transform | None, map_reduction: int) -> None:
        self.resize, self.then, self.map_reduction = resize, transform, map_reduction
        # What data modules look at: they scale while they read.
        self.transform = Compose([resize] if transform is None else [resize, transform])
        self.export_transform = get_exportable_transform(transform)  # images come in scaled

    def predict(self, batch: Batch, step: Step) -> Batch:
        """Put a batch of images through a model.

        Args:
            batch: Images, (B, 3, h, w) float32 in [0, 1].
            step: Predicts a batch, as `AnomalibModule.test_step` does.
        """
        self.on_test_batch_start(None, None, batch)
        return step(batch)

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, *args: Any, **kwargs: Any
    ) -> None:
        """Make a batch what the network wants."""
        batch.image = self._prepared(self._scaled(batch))

    on_validation_batch_start = on_train_batch_start
    on_test_batch_start = on_train_batch_start
    on_predict_batch_start = on_train_batch_start

    def checkpoint_config(self) -> dict[str, Any]:
        """Return everything as plain data, under a name that other pre-processors refuse."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return {"transform": {"class_path": name, "init_args": self._arguments()}}

    def load_checkpoint_config(self, config: dict[str, Any]) -> None:
        """Restore what a checkpoint of the same class holds."""
        self._restore(config["transform"]["init_args"])

    def _arguments(self) -> dict[str, Any]:
        return {
            "resize": self.resize.to_dict(),
            "transform": transform_to_spec(self.then),
            "map_reduction": self.map_reduction,
        }

    def _restore(self, arguments: dict[str, Any]) -> None:
        self._set(
            Scaled(**arguments["resize"]),
            spec_to_transform(arguments["transform"]),
            arguments["map_reduction"],
        )

    def _prepared(self, images: Tensor) -> Tensor:
        return images if self.then is None else self.then(images)

    def reduced(self, score_map: Tensor, native_size: tuple[int, int]) -> Tensor:
        """Return the score map (h, w) of an image at its share of the native size (H, W)."""
        if self.map_reduction == 1:
            return score_map
        size = [max(1, side // self.map_reduction) for side in native_size]
        whole = score_map.as_subclass(Tensor)[None, None]
        return interpolate(whole, size, mode="bilinear")[0, 0]

    def _scaled(self, batch: Batch) -> Tensor:
        """Scale a batch that nobody scaled while its images were read, and return the images."""
        assert batch.image is not None
        sizes = {self.resize.size_of(native_size) for native_size in native_sizes(batch)}
        if tuple(batch.image.shape[-2:]) in sizes:
            return batch.image
        if len(sizes) > 1:
            raise ZooError(
                "images of several sizes in one batch: set the data's batch sizes to 1, so that "
                "each keeps its aspect ratio"
            )
        size = list(sizes.pop())
        batch.image = resize(batch.image, size, self.resize.interpolation, antialias=True)
        if batch.gt_mask is not None:
            batch.gt_mask = resize(Mask(batch.gt_mask), size)
        return batch.image


class TilingPreProcessor(ScaledPreProcessor):
    """Scale images, cut them into tiles, and stitch the score maps of the tiles.

    The score of an image is the largest of its tiles'.

    Args:
        resize: How images are scaled before they are cut.
        layout: Where tiles lie.
        transform: What happens to each tile, such as Normalize.
        seams: How overlapping maps become one, see `zoo.data.tiling.stitch`.
        tiles_per_step: Most tiles that go through the network at once in our runs; bounds memory.
        map_reduction: See `ScaledPreProcessor`.
    """

    layout: Layout

    def __init__(
        self,
        resize: Scaled,
        layout: Layout,
        transform: Transform | None = None,
        seams: Seams = "blend",
        tiles_per_step: int = 16,
        map_reduction: int = 1,
    ) -> None:
        super().__init__(resize, transform, map_reduction)
        check_seams(seams)
        if tiles_per_step < 1:
            raise ZooError(f"tiles_per_step is {tiles_per_step}, it must be 1 or more")
        self.layout = layout
        self.seams: Seams = seams
        self.tiles_per_step = tiles_per_step
        self._whole: Tensor | None = None  # images of the batch whose tiles are under way

    def _set(self, resize: Scaled, transform: Transform | None, map_reduction: int) -> None:
        resize.max_pixels = MAX_TILED_PIXELS
        super()._set(resize, transform, map_reduction)

    @property
    def tiling(self) -> dict[str, Any]:
        """What an exported graph, which takes single tiles, carries along as plain data."""
        return {
            "resize": self.resize.to_dict(),
            "layout": self.layout.to_dict(),
            "seams": self.seams,
        }

    def predict(self, batch: Batch, step: Step) -> Batch:
        """Put a batch of images through a model that sees tiles only; see `ScaledPreProcessor`."""
        images = self._scaled(batch)
        tiles = self._cut(images).split(self.tiles_per_step)
        parts = [step(ImageBatch(image=self._prepared(Image(chunk)))) for chunk in tiles]
        maps = [part.anomaly_map for part in parts if part.anomaly_map is not None]
        scores = [part.pred_score.reshape(-1) for part in parts if part.pred_score is not None]
        return self._assemble(
            batch, images, torch.cat(maps) if maps else None, torch.cat(scores) if scores else None
        )

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, *args: Any, **kwargs: Any
    ) -> None:
        """Make images tiles; our datamodules bring tiles already."""
        assert batch.image is not None
        if tuple(batch.image.shape[-2:]) != (self.layout.tile,) * 2:
            images = self._scaled(batch)
            n_tiles = len(self._grid(images))
            if batch.gt_mask is not None:
                batch.gt_mask = self._cut(batch.gt_mask)
            for name in ("gt_label", "image_path", "mask_path", "native_size"):
                value = getattr(batch, name, None)
                if value is not None:
                    setattr(batch, name, _repeated(value, n_tiles))
            batch.image = self._cut(images)
        batch.image = self._prepared(batch.image)

    def on_test_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, *args: Any, **kwargs: Any
    ) -> None:
        """Put tiles in the place of images."""
        self._whole = self._scaled(batch)
        batch.image = self._prepared(self._cut(self._whole))

    on_validation_batch_start = on_test_batch_start
    on_predict_batch_start = on_test_batch_start

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Put images in the place of tiles, with their maps and scores."""
        if not isinstance(outputs, Batch) or self._whole is None:
            return
        self._assemble(outputs, self._whole, outputs.anomaly_map, outputs.pred_score)
        self._whole = None

    on_validation_batch_end = on_test_batch_end
    on_predict_batch_end = on_test_batch_end

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), **self.tiling, "tiles_per_step": self.tiles_per_step}

    def _restore(self, arguments: dict[str, Any]) -> None:
        super()._restore(arguments)
        self.layout = Layout(**arguments["layout"])
        self.seams = arguments["seams"]
        self.tiles_per_step = arguments["tiles_per_step"]

    def _grid(self, images: Tensor) -> Grid:
        height, width = images.shape[-2:]
        return self.layout.grid((height, width))

    def _cut(self, images: Tensor) -> Tensor:
        """Return (B * n, ..., t, t) tiles of images (B, ..., h, w), image by image."""
        grid = self._grid(images)
        return torch.cat([cut(image.as_subclass(Tensor), grid) for image in images])

    def _assemble(
        self, batch: Batch, images: Tensor, maps: Tensor | None, scores: Tensor | None
    ) -> Batch:
        """Put a model's outputs for the tiles of images into their batch."""
        grid, n_images = self._grid(images), len(images)
        changes: dict[str, Any] = {"image": images}
        if maps is not None:
            tiles = maps.detach().float().cpu().numpy()
            tiles = tiles.reshape(n_images, len(grid), *tiles.shape[-2:])
            whole = np.stack([stitch(part, grid, self.seams) for part in tiles])[:, None]
            stitched = torch.from_numpy(whole).to(maps.device)  # (B, 1, h, w)
            if batch.gt_mask is not None:  # anomalib's metrics compare pixel by pixel
                stitched = resize(stitched, list(batch.gt_mask.shape[-2:]))
            changes["anomaly_map"] = stitched
        if scores is not None:
            changes["pred_score"] = scores.reshape(n_images, -1).amax(1)
        return batch.update(**changes)


def _repeated(values: Any, n_tiles: int) -> Any:
    """Repeat what is given per image for each of its tiles."""
    if isinstance(values, Tensor):
        return values.repeat_interleave(n_tiles)
    return [value for value in values for _ in range(n_tiles)]
