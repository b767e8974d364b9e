"""`zoo predict`: each picture becomes a line of JSON, rows of a table, a mask and an overlay."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from zoo.errors import one_line
from zoo.judging import Judge
from zoo.prediction import Prediction
from zoo.runs.sources import MASKS, OVERLAYS, Sources
from zoo.text import csv_cell

# Columns of the table of blobs, one row per blob; places and lengths in pixels of the picture.
BLOB_COLUMNS = ("path", "id", "area_px", "x", "y", "width", "height", "centroid_x", "centroid_y")
BLOB_COLUMNS += ("peak", "mean", "integrated")
_MUCH_LARGER = 4  # times the pixels of the pictures that set the thresholds
_OVERLAY_PX = 4096  # long side; for the eye, and JPEG ends at 65,535


class Predictor:
    """Judges pictures and writes what it finds; nothing of a picture is kept once it is written.

    Args:
        detector: A run, or a graph that was exported from one.
        sources: Names the results.
        out: Folder of masks and overlays.
        lines: Where the JSON lines go besides standard output.
        table: Where the table of blobs goes, as CSV; its header is written if nothing is there.
        overlays: Whether to draw overlays.

    Attributes:
        n_pictures: How many were judged.
        n_anomalous: How many of them kept a blob.
        n_failed: How many more could not be read.
    """

    def __init__(
        self,
        detector: Judge,
        sources: Sources,
        out: Path,
        lines: TextIO,
        table: TextIO,
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
        self._owners: dict[str, Path] = {}
        self._warned = False
        self._rows = csv.writer(table, lineterminator="\n")
        if table.tell() == 0:
            self._rows.writerow(BLOB_COLUMNS)

    def run(self, paths: Iterable[Path], batch_size: int = 1) -> None:
        """Judge pictures; one that cannot be read becomes a line with an error."""
        begin = time.perf_counter()
        try:
            for prediction in self.detector.predict(paths, batch_size, on_error=self._failed):
                self._check_size(prediction)
                self._write(prediction)
        finally:
            self._seconds += time.perf_counter() - begin

    def summary(self) -> str:
        """Return one line about all pictures so far."""
        rate = self.n_pictures / self._seconds if self._seconds else 0.0
        failed = f", {self.n_failed} not readable" if self.n_failed else ""
        pictures = "1 picture" if self.n_pictures == 1 else f"{self.n_pictures} pictures"
        return (
            f"{pictures}, {self.n_anomalous} anomalous{failed}, "
            f"{rate:.1f} pictures per second, written to {self.out}"
        )

    def _write(self, prediction: Prediction) -> None:
        """Write mask and overlay, then the line: it says that they are complete."""
        name = self._name(prediction.path)
        record = prediction.to_dict()
        mask = prediction.mask.astype(np.uint8) * 255
        record["mask"] = self._image(Path(MASKS, f"{name}.png"), mask)
        if self.overlays:
            drawn = _shown(prediction.overlay())
            record["overlay"] = self._image(Path(OVERLAYS, f"{name}.jpg"), drawn[..., ::-1])
        self._tabulate(prediction)
        self._line(record)
        self.n_pictures += 1
        self.n_anomalous += prediction.is_anomalous

    def _tabulate(self, prediction: Prediction) -> None:
        for each in prediction.blobs:
            place = (*each.box, *each.centroid)
            scores = (each.peak, each.mean, each.integrated)
            self._rows.writerow(
                (csv_cell(str(prediction.path)), each.id, each.area_px, *place, *scores)
            )
        self.table.flush()

    def _failed(self, path: Path, error: Exception) -> None:
        self._line({"path": str(path), "error": one_line(error)})
        self.n_failed += 1

    def _line(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, allow_nan=False)
        for stream in (self.lines, sys.stdout):
            print(text, file=stream, flush=True)

    def _image(self, place: Path, pixels: np.ndarray) -> str:
        """Write an image (BGR or grey) and return its place below the output folder."""
        target = self.out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # cv2.imwrite fails silently, and on names that Windows writes in another alphabet.
        target.write_bytes(cv2.imencode(target.suffix, pixels)[1].tobytes())
        return place.as_posix()

    def _name(self, path: Path) -> str:
        """Return the name of a picture's results, without suffix, which no other picture has."""
        place = self.sources.name(path)
        short, whole = place.with_suffix("").as_posix(), place.as_posix()
        # `7.jpg` and `7.png` of one folder: the second one keeps its whole name.
        names = chain((short, whole), (f"{whole}.{number}" for number in count(2)))
        return next(n for n in names if self._owners.setdefault(n.lower(), place) == place)

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
        print(line, file=sys.stderr, flush=True)


def _shown(overlay: np.ndarray) -> np.ndarray:
    scale = _OVERLAY_PX / max(overlay.shape)
    if scale >= 1:
        return overlay
    return cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
