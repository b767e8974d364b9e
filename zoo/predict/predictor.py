"""Judging pictures: whatever computes score maps, reading, sizes and masks are the same.

A subclass says how a picture gets to the network's size and what its score map is:
`TorchPredictor` in torch, `GraphPredictor` in ONNX Runtime and OpenVINO. Nothing here imports
torch.
"""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
import PIL.Image

from zoo.data.bit_depth import doubt_about
from zoo.data.images import pixels_of, read_pixels, to_8_bits
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.predict.prediction import Prediction, Scored
from zoo.utils.errors import ZooError, ZooWarning
from zoo.utils.paths import expand_home

Picture = str | os.PathLike | PIL.Image.Image | np.ndarray
OnError = Callable[[Picture, Exception], None]
FROM_MEMORY = Path("a picture from memory")
Said = TypeVar("Said")


class Predictor(ABC):
    """Pictures in, masks at their own size out; threads may share it, and its streams.

    Attributes:
        calibration: Thresholds and blob limits.
    """

    calibration: Calibration
    _has_doubted = False

    def read(self, picture: Picture) -> np.ndarray:
        """Return a picture, uint8 (H, W, 3), by the bit depth of the fit.

        The first one whose 16 bits do not fit it is a warning.

        Raises:
            ZooError: It cannot be read, or is no picture.
        """
        path, bit_depth = _path(picture), self.calibration.bit_depth
        if path is not None:
            pixels = read_pixels(path)
        elif isinstance(picture, PIL.Image.Image | np.ndarray):
            pixels = pixels_of(picture)
        else:
            raise _no_picture(picture)
        if not self._has_doubted and (doubt := doubt_about(pixels, bit_depth)):
            self._has_doubted = True
            warnings.warn(f"{path or FROM_MEMORY} {doubt}", ZooWarning, stacklevel=2)
        pixels = to_8_bits(pixels, bit_depth)
        return pixels if path is not None else pixels.copy()  # cameras use their buffers again

    @abstractmethod
    def check_process(self) -> None:
        """Raise a `ZooError` in a process that was forked, where it would wait for ever."""

    @abstractmethod
    def at_model_size(self, pixels: np.ndarray) -> np.ndarray:
        """Return a picture, uint8 (H, W, 3), at the network's size, uint8 (h, w, 3)."""

    @abstractmethod
    def score_images(
        self,
        images: Sequence[np.ndarray],
        native_sizes: Sequence[tuple[int, int]],
        paths: Sequence[Path] | None = None,
    ) -> list[Scored]:
        """Score images at the network's size as one batch.

        Args:
            images: uint8 (h, w, 3) RGB each, all of one size.
            native_sizes: (H, W) of the pictures that they were made from.
            paths: Of these pictures, for errors.

        Raises:
            ZooError: Scores that are not finite, or images of another size than is taken.
        """

    def predict(
        self,
        picture: Picture | Iterable[Picture],
        batch_size: int = 1,
        on_error: OnError | None = None,
    ) -> Prediction | Iterator[Prediction]:
        """Predict one picture, or a stream of them one after the other.

        Args:
            picture: A path, a PIL image or an array, uint8 (H, W, 3) RGB or (H, W) grey; or any
                iterable of these, which is read batch by batch as predictions are asked for.
            batch_size: How many pictures of a stream go through the network at once; scores are
                equal to the last digit only within one batch size.
            on_error: Called with each picture of a stream that cannot be read or judged, and the
                reason; the stream then goes on without it. By default the error is raised.

        Returns:
            A `Prediction` for one picture, an iterator of them for several. Threads that share the
            iterator get a prediction each, and every picture is judged once.

        Raises:
            ZooError: A file is no image, or an array has another shape or type; or this process was
                forked from the one that loaded the detector.
        """
        if isinstance(picture, Picture):
            return next(self._predictions([picture], 1, None))
        return _InTurn(self._predictions(picture, batch_size, on_error))

    def score(self, picture: Picture) -> tuple[np.ndarray, float]:
        """Return the raw score map of one picture at model size, float32 (h, w), and its score."""
        scored = next(self.scored([picture]))
        return scored.score_map, scored.score

    def scored(self, pictures: Iterable[Picture], batch_size: int = 1) -> Iterator[Scored]:
        """Yield the raw score map of each picture at model size, as it comes from the method."""
        return _InTurn(scored for _, scored in self._stream(pictures, batch_size, None))

    def _predictions(
        self, pictures: Iterable[Picture], batch_size: int, on_error: OnError | None
    ) -> Iterator[Prediction]:
        for read, scored in self._stream(pictures, batch_size, on_error):
            if scored.score_map.size > 1 and _is_constant(scored.score_map):
                what = "is the same everywhere: the method saw nothing in it"
                name = read.path or FROM_MEMORY
                warnings.warn(f"the score map of {name} {what}", ZooWarning, stacklevel=2)
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
            self.check_process()
            read = [each for picture in chunk if (each := self._read(picture, on_error))]
            # A method that takes images as they are may get several sizes, which no batch holds.
            for _, group in groupby(read, key=lambda each: each.small.shape):
                yield from self._scored(list(group), on_error)

    def _scored(
        self, read: list[_Read], on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        try:
            scored = self.score_images(
                [each.small for each in read],
                [each.pixels.shape[:2] for each in read],
                [each.path or FROM_MEMORY for each in read],
            )
        except Exception as error:  # scores that are not finite, or no memory for so large an image
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
            path = _path(picture)
            pixels = self.read(picture)
            with _named(path):
                small = self.at_model_size(pixels)
            if _is_constant(small):
                what = "is of one colour throughout: is the lens covered, or the file damaged?"
                warnings.warn(f"{path or FROM_MEMORY} {what}", ZooWarning, stacklevel=2)
            return _Read(picture, path, pixels, small)
        except Exception as error:  # a damaged file may fail in any way
            if on_error is None:
                raise
            on_error(picture, error)
            return None


@dataclass(frozen=True, eq=False)
class _Read:
    """A picture at native size, uint8 (H, W, 3), and at the network's, uint8 (h, w, 3)."""

    picture: Picture
    path: Path | None
    pixels: np.ndarray
    small: np.ndarray


class _InTurn(Iterator[Said]):
    """A generator for several threads, which by itself would refuse to be asked by two at once."""

    def __init__(self, generator: Iterator[Said]) -> None:
        self._generator = generator
        self._turn = Lock()
        self._process = os.getpid()

    def __next__(self) -> Said:
        if os.getpid() != self._process:  # a thread that is not here may be half-way through it
            raise ZooError(
                "a stream of predictions does not go on in a process that was forked: call "
                "predict there"
            )
        with self._turn:
            return next(self._generator)


def check_finite(path: Path, score_map: np.ndarray, score: float) -> None:
    """Raise where a method says something that is no number."""
    if not np.isfinite(score_map).all() or not np.isfinite(score):
        raise ZooError(
            f"the score map of {path} holds NaN or infinite scores: the method diverged; "
            "lower its learning rate or look at this image"
        )


@contextmanager
def _named(path: Path | None) -> Iterator[None]:
    try:
        yield
    except ZooError as error:
        raise ZooError(f"{path or FROM_MEMORY}: {error}") from error


def _is_constant(array: np.ndarray) -> bool:
    """Whether all values of an array (h, w, ...) are the first; most differ in the first row."""
    first = array[:1, :1]
    return bool((array[:1] == first).all() and (array == first).all())


def _path(picture: object) -> Path | None:
    return expand_home(picture) if isinstance(picture, str | os.PathLike) else None


def _no_picture(picture: object) -> ZooError:
    kind = type(picture).__name__
    return ZooError(f"a picture is a path, a PIL image or an array, not of type {kind}")
