"""The interface to torch models and exported graphs: images in, predictions at native size out."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import numpy as np
import PIL.Image

from zoo.data.images import doubt_about, pixels_of, read_pixels, to_8_bits
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.drawing import overlay
from zoo.postprocess.finish import Blob, finish
from zoo.utils.errors import ZooError, ZooWarning
from zoo.utils.paths import expand_home

ImageLike = str | os.PathLike[str] | PIL.Image.Image | np.ndarray
OnError = Callable[[ImageLike, Exception], None]
FROM_MEMORY = Path("an image in memory")  # in the place of a path
T = TypeVar("T")


@dataclass(frozen=True)
class Scored:
    """What a method computes for one image.

    Attributes:
        path: The image.
        native_size: (H, W) in pixels.
        score_map: Raw scores at model size, float32 (h, w); larger = more anomalous.
        score: The method's own image score, or the map's maximum where it gives none.
    """

    path: Path
    native_size: tuple[int, int]
    score_map: np.ndarray
    score: float

    def __post_init__(self) -> None:
        """Refuse NaN and infinity."""
        if not np.isfinite(self.score_map).all() or not np.isfinite(self.score):
            raise ZooError(
                f"the score map of {self.path} holds NaN or infinite scores: the method diverged; "
                "lower its learning rate or look at this image"
            )


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction for one image; arrays have the image's native size.

    Attributes:
        path: The file, or None for an image in memory.
        image: uint8 (H, W, 3) RGB.
        mask: bool (H, W), True where anomalous.
        anomaly_map: float32 (H, W), raw scores; larger = more anomalous.
        score: The image score, raw.
        is_anomalous: Whether the mask has a blob; by the image score if the calibration says so.
        blobs: The regions of the mask, largest peak first; boxes and areas in pixels.
    """

    path: Path | None
    image: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    anomaly_map: np.ndarray = field(repr=False)
    score: float
    is_anomalous: bool
    blobs: list[Blob]

    def overlay(self) -> np.ndarray:
        """Return the image with the mask outlined and boxed, uint8 (H, W, 3) RGB."""
        return overlay(self.image, self.mask, self.blobs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays as plain data."""
        height, width = self.mask.shape
        return {
            "path": None if self.path is None else str(self.path),
            "is_anomalous": self.is_anomalous,
            "score": self.score,
            "width": width,
            "height": height,
            "flagged_fraction": float(self.mask.mean()),
            "blobs": [blob.to_dict() for blob in self.blobs],
        }


class Predictor(ABC):
    """Predicts anomaly masks of images; threads may share it, and the streams that it returns.

    `zoo.load` returns one for a run or an exported graph.

    Attributes:
        calibration: Thresholds and blob limits; another one may be assigned at any time.

    Example:
        >>> class Brightness(Predictor):
        ...     calibration = Calibration(threshold=0.5)
        ...
        ...     def check_process(self):
        ...         pass  # there is no runtime
        ...
        ...     def at_model_size(self, pixels):
        ...         return pixels
        ...
        ...     def score_images(self, images, native_sizes, paths):
        ...         score_maps = [image.mean(axis=2, dtype=np.float32) / 255 for image in images]
        ...         scores = [float(each.max()) for each in score_maps]
        ...         return list(map(Scored, paths, native_sizes, score_maps, scores))
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[1:3, 2:5] = 255
        >>> prediction = Brightness().predict(image)
        >>> prediction.is_anomalous, prediction.score, int(prediction.mask.sum())
        (True, 1.0, 6)
        >>> [each.blobs[0].box for each in Brightness().predict([image, image.transpose(1, 0, 2)])]
        [(2, 1, 3, 2), (1, 2, 2, 3)]
    """

    calibration: Calibration
    _has_warned_of_depth = False

    @overload
    def predict(  # type: ignore[overload-overlap] # a path is one image, not an iterable of letters
        self, images: ImageLike, batch_size: int = ..., on_error: OnError | None = ...
    ) -> Prediction: ...

    @overload
    def predict(
        self, images: Iterable[ImageLike], batch_size: int = ..., on_error: OnError | None = ...
    ) -> Iterator[Prediction]: ...

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        batch_size: int = 1,
        on_error: OnError | None = None,
    ) -> Prediction | Iterator[Prediction]:
        """Predict one image, or a stream of images one after the other.

        Args:
            images: A path, a PIL image or an array, uint8 or uint16, (H, W, 3) RGB or (H, W) grey;
                or any iterable of these, which is read batch by batch as predictions are consumed.
            batch_size: How many images of a stream go through the network at once; scores of
                different batch sizes may differ in the last digits.
            on_error: Called with each image of a stream that cannot be read or predicted, and the
                exception; the stream goes on without the image. By default the error is raised.

        Returns:
            A `Prediction` for one image, a lazy iterator of them for several. Threads may share the
            iterator: each image is predicted once.

        Raises:
            ZooError: A file is no image, an array has another shape or type, or this process was
                forked from the one that loaded the predictor.

        Example:
            >>> predictor = zoo.load("runs/screws")  # doctest: +SKIP
            >>> predictor.predict("7.jpg").is_anomalous  # doctest: +SKIP
            True
            >>> for prediction in predictor.predict(camera, batch_size=4):  # doctest: +SKIP
            ...     print(prediction.score, prediction.mask.shape)
        """
        if isinstance(images, str | os.PathLike | PIL.Image.Image | np.ndarray):
            return next(self._predictions([images], 1, None))
        return _SharedIterator(self._predictions(images, batch_size, on_error))

    def score(self, image: ImageLike) -> tuple[np.ndarray, float]:
        """Return the raw score map of one image at model size, float32 (h, w), and its score."""
        scored = next(self.scored([image]))
        return scored.score_map, scored.score

    def scored(self, images: Iterable[ImageLike], batch_size: int = 1) -> Iterator[Scored]:
        """Yield the raw score map and score of each image, as the method computes them."""
        return _SharedIterator(scored for _, scored in self._stream(images, batch_size, None))

    def read(self, image: ImageLike) -> np.ndarray:
        """Return an image as uint8 (H, W, 3), 16 bits scaled by the bit depth of the calibration.

        Warns once if 16-bit values do not fit that bit depth.

        Raises:
            ZooError: It cannot be read, or is no image.
        """
        path, bit_depth = _path(image), self.calibration.bit_depth
        if path is not None:
            pixels = read_pixels(path)
        elif isinstance(image, PIL.Image.Image | np.ndarray):
            pixels = pixels_of(image)
        else:
            raise _no_image(image)
        if not self._has_warned_of_depth and (doubt := doubt_about(pixels, bit_depth)):
            self._has_warned_of_depth = True
            warnings.warn(f"{path or FROM_MEMORY} {doubt}", ZooWarning, stacklevel=2)
        pixels = to_8_bits(pixels, bit_depth)
        return pixels if path is not None else pixels.copy()  # cameras reuse their buffers

    @abstractmethod
    def check_process(self) -> None:
        """Raise a `ZooError` in a forked process, where the runtime would wait for ever."""

    @abstractmethod
    def at_model_size(self, pixels: np.ndarray) -> np.ndarray:
        """Return an image, uint8 (H, W, 3), at the network's size, uint8 (h, w, 3)."""

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
            native_sizes: (H, W) of the images before they were resized.
            paths: Of the images, for errors.

        Raises:
            ZooError: Scores that are not finite, or images of a size that the model refuses.
        """

    def _predictions(
        self, images: Iterable[ImageLike], batch_size: int, on_error: OnError | None
    ) -> Iterator[Prediction]:
        for read, scored in self._stream(images, batch_size, on_error):
            if scored.score_map.size > 1 and _is_constant(scored.score_map):
                problem = "is the same everywhere: the method saw nothing in the image"
                warnings.warn(f"the score map of {read.name} {problem}", ZooWarning, stacklevel=2)
            done = finish(scored.score_map, scored.native_size, self.calibration)
            arrays = read.pixels, done.mask, done.score_map
            yield Prediction(read.path, *arrays, scored.score, done.is_anomalous, done.blobs)

    def _stream(
        self, images: Iterable[ImageLike], batch_size: int, on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        if batch_size < 1:
            raise ZooError(f"batch_size is {batch_size}, it must be 1 or more")
        if isinstance(images, bytes) or not isinstance(images, Iterable):
            raise _no_image(images)
        remaining = iter(images)
        while chunk := list(islice(remaining, batch_size)):
            self.check_process()
            batch = [read for image in chunk if (read := self._read(image, on_error))]
            # A method without a fixed input size may get several sizes, which no batch holds.
            for _, group in groupby(batch, key=lambda read: read.small.shape):
                yield from self._score(list(group), on_error)

    def _read(self, image: ImageLike, on_error: OnError | None) -> _Read | None:
        try:
            path = _path(image)
            pixels = self.read(image)
            try:
                small = self.at_model_size(pixels)
            except ZooError as error:
                raise ZooError(f"{path or FROM_MEMORY}: {error}") from error
            if _is_constant(small):
                problem = "is of one colour throughout: is the lens covered, or the file damaged?"
                warnings.warn(f"{path or FROM_MEMORY} {problem}", ZooWarning, stacklevel=2)
            return _Read(image, path, pixels, small)
        except Exception as error:  # a damaged file may fail in any way
            if on_error is None:
                raise
            on_error(image, error)
            return None

    def _score(
        self, batch: list[_Read], on_error: OnError | None
    ) -> Iterator[tuple[_Read, Scored]]:
        try:
            scored = self.score_images(
                [read.small for read in batch],
                [(read.pixels.shape[0], read.pixels.shape[1]) for read in batch],
                [read.name for read in batch],
            )
        except Exception as error:  # scores that are not finite, or no memory for so large an image
            if on_error is None:
                raise
            if len(batch) == 1:
                on_error(batch[0].image, error)
            else:  # one by one, to find the image
                for read in batch:
                    yield from self._score([read], on_error)
            return
        yield from zip(batch, scored, strict=True)


@dataclass(frozen=True, eq=False)
class _Read:
    """An image at native size, uint8 (H, W, 3), and at the network's, uint8 (h, w, 3)."""

    image: ImageLike
    path: Path | None
    pixels: np.ndarray
    small: np.ndarray

    @property
    def name(self) -> Path:
        return self.path or FROM_MEMORY


class _SharedIterator(Iterator[T]):
    """A generator for several threads, which by itself refuses to be called by two at once."""

    def __init__(self, generator: Iterator[T]) -> None:
        self._generator = generator
        self._lock = Lock()
        self._process = os.getpid()

    def __next__(self) -> T:
        if os.getpid() != self._process:  # a thread that was not forked may be half-way through it
            raise ZooError(
                "a stream of predictions does not continue in a forked process: call predict there"
            )
        with self._lock:
            return next(self._generator)


def _is_constant(array: np.ndarray) -> bool:
    """Whether all values of an array (h, w, ...) are the first; most differ in the first row."""
    first = array[:1, :1]
    return bool((array[:1] == first).all() and (array == first).all())


def _path(image: object) -> Path | None:
    return expand_home(image) if isinstance(image, str | os.PathLike) else None


def _no_image(value: object) -> ZooError:
    kind = type(value).__name__
    return ZooError(f"an image is a path, a PIL image or an array, not of type {kind}")
