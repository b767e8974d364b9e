"""A fitted method as a programmer wants it: pictures in, masks at their own size out.

No trainer and no temporary files. Reading, resizing and scoring are the very functions that runs
use, so that a mask here is the mask that was judged there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from anomalib.models import AnomalibModule
from torchvision.tv_tensors import Image

from zoo.data.batch import NativeBatch, NativeItem
from zoo.data.dataset import to_model_size
from zoo.data.images import as_rgb, read_image
from zoo.data.native import leading_resize
from zoo.errors import ZooError
from zoo.post.calibration import Calibration
from zoo.post.finish import finish
from zoo.prediction import Prediction
from zoo.scoring import Scored, score_batch

Picture = str | os.PathLike | PIL.Image.Image | np.ndarray
OnError = Callable[[Picture, Exception], None]


class Detector:
    """A fitted model with its calibration; made by `zoo.load`.

    Args:
        model: A fitted anomalib module.
        calibration: Thresholds and blob limits.
    """

    def __init__(self, model: AnomalibModule, calibration: Calibration) -> None:
        self.model = model.eval()
        self.calibration = calibration
        self._resize = leading_resize(getattr(model.pre_processor, "transform", None))

    def predict(
        self,
        picture: Picture | Iterable[Picture],
        batch_size: int = 1,
        on_error: OnError | None = None,
    ) -> Prediction | Iterator[Prediction]:
        """Judge one picture, or a stream of them one after the other.

        Args:
            picture: A path, a PIL image or an array, uint8 (H, W, 3) RGB or (H, W) grey; or any
                iterable of these, which is read batch by batch as predictions are asked for.
            batch_size: How many pictures of a stream go through the network at once; scores are
                equal to the last digit only within one batch size.
            on_error: Called with each picture of a stream that cannot be read or judged, and the
                reason; the stream then goes on without it. By default the error is raised.

        Returns:
            A `Prediction` for one picture, an iterator of them for several.

        Raises:
            ZooError: A file is no image, or an array has another shape or type.
        """
        if isinstance(picture, Picture):
            return next(self._predictions([picture], 1, None))
        return self._predictions(picture, batch_size, on_error)

    def score(self, picture: Picture) -> tuple[np.ndarray, float]:
        """Return the raw score map of one picture at model size, float32 (h, w), and its score."""
        scored = next(self.scored([picture]))
        return scored.score_map, scored.score

    def scored(self, pictures: Iterable[Picture], batch_size: int = 1) -> Iterator[Scored]:
        """Yield the raw score map of each picture at model size, as it comes from the method."""
        return (scored for _, scored in self._stream(pictures, batch_size, None))

    def _predictions(
        self, pictures: Iterable[Picture], batch_size: int, on_error: OnError | None
    ) -> Iterator[Prediction]:
        for read, scored in self._stream(pictures, batch_size, on_error):
            done = finish(scored.score_map, scored.native_size, self.calibration, scored.score)
            yield Prediction.of(read.path, read.pixels, done, scored.score)

    def _stream(
        self, pictures: Iterable[Picture], batch_size: int, on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        if batch_size < 1:
            raise ZooError(f"batch_size is {batch_size}, it must be 1 or more")
        if isinstance(pictures, bytes) or not isinstance(pictures, Iterable):
            raise _no_picture(pictures)
        waiting = iter(pictures)
        while chunk := list(islice(waiting, batch_size)):
            yield from self._batch(chunk, on_error)

    def _batch(
        self, pictures: list[Picture], on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        read = [each for picture in pictures if (each := self._read(picture, on_error))]
        # A method that takes images as they are may get several sizes, which no tensor holds.
        for _, group in groupby(read, key=lambda each: each.item.image.shape):
            yield from self._scored(list(group), on_error)

    def _scored(
        self, read: list[_Read], on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        try:
            scored = score_batch(self.model, NativeBatch.collate([each.item for each in read]))
        except ZooError as error:  # scores that are not finite
            if on_error is None:
                raise
            if len(read) == 1:
                on_error(read[0].picture, error)
            else:  # one by one, to name the picture
                for each in read:
                    yield from self._scored([each], on_error)
            return
        yield from zip(read, scored, strict=True)

    def _read(self, picture: Picture, on_error: OnError | None) -> _Read | None:
        try:
            return _read(picture, self._resize)
        except Exception as error:  # a damaged file may fail in any way
            if on_error is None:
                raise
            on_error(picture, error)
            return None


@dataclass(frozen=True, eq=False)
class _Read:
    """A picture at native size, uint8 (H, W, 3), and at model size as the network's input."""

    picture: Picture
    path: Path | None
    pixels: np.ndarray
    item: NativeItem


def _read(picture: Picture, resize: Any) -> _Read:
    path = None
    if isinstance(picture, str | os.PathLike):
        path = Path(picture).expanduser()
        if path.is_dir():
            raise ZooError(f"{path} is a folder: give its pictures, such as Path(...).glob('*')")
        pixels = read_image(path)
    elif isinstance(picture, PIL.Image.Image | np.ndarray):
        pixels = np.array(as_rgb(picture))  # a copy: cameras use their buffers again
    else:
        raise _no_picture(picture)
    small = Image(torch.from_numpy(to_model_size(pixels, resize)).permute(2, 0, 1))
    item = NativeItem(
        image=small.to(torch.float32) / 255,  # (3, h, w)
        image_path=str(path or "a picture from memory"),
        native_size=pixels.shape[:2],
    )
    return _Read(picture, path, pixels, item)


def _no_picture(picture: object) -> ZooError:
    kind = type(picture).__name__
    return ZooError(f"a picture is a path, a PIL image or an array, not of type {kind}")
