"""`zoo predict`: each image becomes a line of JSON, rows of a table, a mask and an overlay."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.predict.predictor import ImageLike, Prediction, Predictor
from zoo.predict.sources import MASKS, OVERLAYS, ResultNames, Sources
from zoo.utils.atomic import RecordFile, unwritable, write_bytes
from zoo.utils.errors import one_line
from zoo.utils.text import csv_cell, printable

# Columns of the table of blobs, one row per blob; places and lengths in pixels of the image.
BLOB_COLUMNS = ["path", "id", "area_px", "x", "y", "width", "height"]
BLOB_COLUMNS += ["centroid_x", "centroid_y", "peak", "mean", "integrated"]
_MUCH_LARGER = 4  # times the pixels of the images that set the thresholds
_OVERLAY_PX = 4096  # long side; for the eye, and JPEG ends at 65,535


class PredictionWriter:
    """Predicts images and writes the results; nothing of an image is kept once it is written.

    Args:
        predictor: A run, or a graph that was exported from one.
        sources: Names the results.
        out: Folder of masks and overlays.
        lines: Where the JSON lines go besides standard output.
        table: Where the table of blobs goes, as CSV with a header.
        overlays: Whether to draw overlays.

    Attributes:
        n_images: How many were predicted.
        n_anomalous: How many of them are anomalous.
        n_failed: How many more could not be predicted, or their results not be written.
    """

    def __init__(
        self,
        predictor: Predictor,
        sources: Sources,
        out: Path,
        lines: RecordFile,
        table: RecordFile,
        overlays: bool = True,
    ) -> None:
        self.predictor, self.sources, self.out = predictor, sources, out
        self.lines, self.table, self.overlays = lines, table, overlays
        self.n_images = self.n_anomalous = self.n_failed = 0
        self._seconds = 0.0
        self._names = ResultNames()
        self._reported: set[Path] = set()
        self._has_warned = False
        if not table.size:
            table.append(_csv([BLOB_COLUMNS]))

    def run(self, paths: Iterable[Path], batch_size: int = 1) -> None:
        """Predict images; one that cannot be read becomes a line with an error."""
        begin = time.perf_counter()
        try:
            for prediction in self.predictor.predict(paths, batch_size, on_error=self._failed):
                self._check_size(prediction)
                try:
                    self._write(prediction)
                except OSError as error:
                    if unwritable(error):  # no other image would fare better
                        raise
                    self._failed(str(prediction.path), error)
        finally:
            self._seconds += time.perf_counter() - begin

    def report_unreadable(self, unreadable: Mapping[Path, str]) -> None:
        """Write a line with the reason for each path that cannot be predicted, once."""
        for path, reason in unreadable.items():
            if path not in self._reported:
                self._reported.add(path)
                self._write_error(path, reason)

    def summary(self) -> str:
        """Return one line about all images so far."""
        rate = self.n_images / self._seconds if self._seconds else 0.0
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        return (
            f"{self.n_images} image{'s' * (self.n_images != 1)}, {self.n_anomalous} anomalous"
            f"{failed}, {rate:.1f} images per second, written to {self.out}"
        )

    def _write(self, prediction: Prediction) -> None:
        """Write mask and overlay, then the line: it means that they are complete."""
        assert prediction.path is not None
        name = self._names.of(self.sources.place(prediction.path))
        record = prediction.to_dict()
        if self.overlays:
            drawn = _bounded(prediction.overlay())
            record["overlay"] = self._write_image(Path(OVERLAYS, f"{name}.jpg"), drawn[..., ::-1])
        mask = prediction.mask.astype(np.uint8) * 255
        record["mask"] = self._write_image(Path(MASKS, f"{name}.png"), mask)
        self.table.append(_csv(_rows(prediction)))
        self._write_line(record)
        self.n_images += 1
        self.n_anomalous += prediction.is_anomalous

    def _failed(self, image: ImageLike, error: Exception) -> None:
        self._write_error(image, one_line(error))

    def _write_error(self, image: ImageLike, reason: str) -> None:
        self._write_line({"path": str(image), "error": reason})
        self.n_failed += 1

    def _write_line(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, allow_nan=False)
        self.lines.append(f"{text}\n")
        print(text, flush=True)

    def _write_image(self, place: Path, pixels: np.ndarray) -> str:
        """Write an image (BGR or grey) and return its place below the output folder."""
        target = self.out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # cv2.imwrite fails silently, and on names that Windows writes in another alphabet.
        write_bytes(target, cv2.imencode(target.suffix, pixels)[1].tobytes())
        return place.as_posix()

    def _check_size(self, prediction: Prediction) -> None:
        calibration = self.predictor.calibration
        if self._has_warned or not calibration.n_pixels:
            return
        factor = prediction.mask.size * calibration.n_images / calibration.n_pixels
        if factor > _MUCH_LARGER:
            self._has_warned = True
            log(
                f"image {prediction.path} is {factor:.0f} times larger than those of the "
                "calibration: areas in pixels and thresholds may not fit"
            )


def log(*lines: str) -> None:
    """Print lines to stderr: standard output is for the results."""
    for line in lines:
        print(printable(line), file=sys.stderr, flush=True)


def _rows(prediction: Prediction) -> Iterator[Sequence[Any]]:
    path = csv_cell(str(prediction.path))
    for blob in prediction.blobs:
        scores = (blob.peak, blob.mean, blob.integrated)
        yield path, blob.id, blob.area_px, *blob.box, *blob.centroid, *scores


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _bounded(overlay: np.ndarray) -> np.ndarray:
    scale = _OVERLAY_PX / max(overlay.shape)
    if scale >= 1:
        return overlay
    return cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
