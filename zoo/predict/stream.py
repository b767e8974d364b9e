"""`zoo predict`: each picture becomes a line of JSON, rows of a table, a mask and an overlay."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.predict.prediction import Prediction
from zoo.predict.predictor import Predictor
from zoo.predict.sources import MASKS, OVERLAYS, ResultNames, Sources
from zoo.utils.atomic import RecordFile, unwritable, write_bytes
from zoo.utils.errors import one_line
from zoo.utils.text import csv_cell, printable

# Columns of the table of blobs, one row per blob; places and lengths in pixels of the picture.
BLOB_COLUMNS = ("path", "id", "area_px", "x", "y", "width", "height", "centroid_x", "centroid_y")
BLOB_COLUMNS += ("peak", "mean", "integrated")
_MUCH_LARGER = 4  # times the pixels of the pictures that set the thresholds
_OVERLAY_PX = 4096  # long side; for the eye, and JPEG ends at 65,535


class PredictionWriter:
    """Judges pictures and writes what it finds; nothing of a picture is kept once it is written.

    Args:
        detector: A run, or a graph that was exported from one.
        sources: Names the results.
        out: Folder of masks and overlays.
        lines: Where the JSON lines go besides standard output.
        table: Where the table of blobs goes, as CSV; it begins with a header.
        overlays: Whether to draw overlays.

    Attributes:
        n_pictures: How many were judged.
        n_anomalous: How many of them kept a blob.
        n_failed: How many more could not be judged, or their results not be written.
    """

    def __init__(
        self,
        detector: Predictor,
        sources: Sources,
        out: Path,
        lines: RecordFile,
        table: RecordFile,
        overlays: bool = True,
    ) -> None:
        self.detector = detector
        self.sources = sources
        self.out = out
        self.lines = lines
        self.table = table
        self.overlays = overlays
        self.n_pictures = self.n_anomalous = self.n_failed = 0
        self._seconds = 0.0
        self._names = ResultNames()
        self._unread: set[Path] = set()
        self._warned = False
        if not table.size:
            table.append(_csv([BLOB_COLUMNS]))

    def run(self, paths: Iterable[Path], batch_size: int = 1) -> None:
        """Predictor pictures; one that cannot be read becomes a line with an error."""
        begin = time.perf_counter()
        try:
            for prediction in self.detector.predict(paths, batch_size, on_error=self._failed):
                self._check_size(prediction)
                try:
                    self._write(prediction)
                except OSError as error:
                    if unwritable(error):  # no other picture would fare better
                        raise
                    self._failed(prediction.path, error)
        finally:
            self._seconds += time.perf_counter() - begin

    def pass_over(self, unread: Mapping[Path, str]) -> None:
        """Name what cannot be judged, each once, by a line with an error."""
        for path, reason in unread.items():
            if path not in self._unread:
                self._unread.add(path)
                self._error(path, reason)

    def summary(self) -> str:
        """Return one line about all pictures so far."""
        rate = self.n_pictures / self._seconds if self._seconds else 0.0
        failed = f", {self.n_failed} not judged" if self.n_failed else ""
        pictures = "1 picture" if self.n_pictures == 1 else f"{self.n_pictures} pictures"
        return (
            f"{pictures}, {self.n_anomalous} anomalous{failed}, "
            f"{rate:.1f} pictures per second, written to {self.out}"
        )

    def _write(self, prediction: Prediction) -> None:
        """Write mask and overlay, then the line: it says that they are complete."""
        name = self._names.of(self.sources.place(prediction.path))
        record = prediction.to_dict()
        if self.overlays:
            drawn = _shown(prediction.overlay())
            record["overlay"] = self._image(Path(OVERLAYS, f"{name}.jpg"), drawn[..., ::-1])
        mask = prediction.mask.astype(np.uint8) * 255
        record["mask"] = self._image(Path(MASKS, f"{name}.png"), mask)
        self.table.append(_csv(_rows(prediction)))
        self._line(record)
        self.n_pictures += 1
        self.n_anomalous += prediction.is_anomalous

    def _failed(self, path: Path, error: Exception) -> None:
        self._error(path, one_line(error))

    def _error(self, path: Path, reason: str) -> None:
        self._line({"path": str(path), "error": reason})
        self.n_failed += 1

    def _line(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, allow_nan=False)
        self.lines.append(f"{text}\n")
        print(text, flush=True)

    def _image(self, place: Path, pixels: np.ndarray) -> str:
        """Write an image (BGR or grey) and return its place below the output folder."""
        target = self.out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # cv2.imwrite fails silently, and on names that Windows writes in another alphabet.
        write_bytes(target, cv2.imencode(target.suffix, pixels)[1].tobytes())
        return place.as_posix()

    def _check_size(self, prediction: Prediction) -> None:
        calibration = self.detector.calibration
        if self._warned or not calibration.n_pixels:
            return
        factor = prediction.mask.size * calibration.n_images / calibration.n_pixels
        if factor > _MUCH_LARGER:
            self._warned = True
            say(
                f"picture {prediction.path} is {factor:.0f} times larger than those of the "
                "calibration: areas in pixels and thresholds may not fit"
            )


def say(*lines: str) -> None:
    """Print lines to stderr: standard output is for the results."""
    for line in lines:
        print(printable(line), file=sys.stderr, flush=True)


def _rows(prediction: Prediction) -> Iterable[tuple[Any, ...]]:
    for each in prediction.blobs:
        scores = (each.peak, each.mean, each.integrated)
        path = csv_cell(str(prediction.path))
        yield path, each.id, each.area_px, *each.box, *each.centroid, *scores


def _csv(rows: Iterable[tuple[Any, ...]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _shown(overlay: np.ndarray) -> np.ndarray:
    scale = _OVERLAY_PX / max(overlay.shape)
    if scale >= 1:
        return overlay
    return cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
