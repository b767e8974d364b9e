"""A calibration: the thresholds and blob limits that normal images gave, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.post.background import Normalisation, normalised

FORMAT_VERSION = 3
_READABLE = (1, 2, 3)  # 2 and 3 only add fields


@dataclass(frozen=True)
class Calibration:
    """What turns a score map into a mask; plain numbers that travel as JSON and in checkpoints.

    Lengths and areas are in pixels of the native image. Thresholds, like `normal_min` and
    `normal_max`, are in units of the normalised score, which is the raw score for "none".

    Attributes:
        threshold: A pixel is a candidate if its score is greater.
        min_area_px: Blobs (8-connected) smaller than this are dropped; 0 or 1 keeps all.
        seed_threshold: A blob is kept only if some score in it is greater than this too.
        min_mass: Blobs whose scores above the threshold sum up to less are dropped.
        normalisation: What is taken off each image's own map first, see `zoo.post.background`.
        spread_floor: Smallest spread that "robust" divides by.
        close_px: Length of gaps that are bridged along lines.
        fill_holes_px: Area up to which enclosed holes are filled.
        erode_px: Side of the square that masks are eroded by.
        border_px: Width of a frame in which nothing counts.
        sweep: If given, each image has its own threshold at or above `threshold`, see
            `zoo.post.mebin`: `step` and `shortest_run`.
        image_threshold: If given, an image is anomalous if its own score is greater, as anomalib
            has it, whatever its mask says; otherwise if and only if it keeps a blob.
        rule: Name of the rule that set the numbers.
        parameters: The rule's parameters.
        findings: What the rule measured on the way to its decisions, for the record.
        split: Where the normal images came from.
        n_images: How many there were.
        n_pixels: How many pixels at native size they had.
        images: Which ones they were, see `zoo.data.known_images.image_digests`; empty where nobody
            noted it, as in anomalib's own flow.
        given: Whether a person gave them; otherwise the run itself held them out of the fit.
        normal_min: Smallest score of a normal pixel; with the next one it scales pictures.
        normal_max: Largest score of a normal pixel.
        version: Version of this format.
    """

    threshold: float
    min_area_px: int = 0
    seed_threshold: float | None = None
    min_mass: float = 0.0
    normalisation: Normalisation = "none"
    spread_floor: float = 0.0
    close_px: int = 0
    fill_holes_px: int = 0
    erode_px: int = 0
    border_px: int = 0
    sweep: dict[str, int] | None = None
    image_threshold: float | None = None
    rule: str = "fixed"
    parameters: dict[str, Any] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)
    split: str = ""
    n_images: int = 0
    n_pixels: int = 0
    images: tuple[str, ...] = ()
    given: bool = False
    normal_min: float = 0.0
    normal_max: float = 1.0
    version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Calibration:
        """Rebuild a calibration from plain data.

        Raises:
            ZooError: The data was written by another version of this format.
        """
        if data.get("version") not in _READABLE:
            raise ZooError(
                f"calibration of format {data.get('version')}, this version reads "
                f"{FORMAT_VERSION}: calibrate again"
            )
        known = {entry.name for entry in fields(cls)}
        given = {key: value for key, value in data.items() if key in known}
        given["images"] = tuple(given.get("images", ()))  # JSON knows lists only
        return cls(**{**given, "version": FORMAT_VERSION})

    def save(self, path: Path) -> None:
        """Write the calibration as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a calibration written by `save`."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))

    def with_image_threshold(self, scores: Sequence[float]) -> Calibration:
        """Return the calibration with anomalib's verdict: above the largest normal image score.

        That is what its search for the best F1 comes to where no defective image is at hand.

        Args:
            scores: The method's own scores of the normal images.

        Raises:
            ZooError: There is none.
        """
        if not len(scores):
            raise ZooError("no score of a normal image to set an image threshold by")
        return replace(self, image_threshold=float(max(scores)))

    def for_display(self, score_map: np.ndarray) -> np.ndarray:
        """Scale scores to [0, 1] for the eye: normal minimum at 0, threshold at one half.

        The scale is the same for all images, so that pictures compare; never measure on it.

        Args:
            score_map: Raw scores, (H, W) or (..., H, W).
        """
        half = self.threshold - self.normal_min
        if half <= 0:
            half = max(self.normal_max - self.normal_min, np.finfo(np.float32).tiny)
        maps = score_map.reshape(-1, *score_map.shape[-2:])
        scores = np.stack([normalised(m, self.normalisation, self.spread_floor) for m in maps])
        return np.clip(0.5 * (scores - self.normal_min) / half, 0, 1).reshape(score_map.shape)

    def describe(self) -> str:
        """Say in one line which rule set which number from what."""
        said = {key: value for key, value in self.parameters.items() if value not in (0, "none")}
        given = ", ".join(f"{key}={value}" for key, value in said.items())
        unit = {"none": "", "median": " above the image's median"}
        kind = "threshold" if self.sweep is None else "each image's own threshold, at least"
        level = f"{kind} {self.threshold:.6g}" + unit.get(
            self.normalisation, " spreads above the image's median"
        )
        if self.seed_threshold is not None:
            level += f", peak > {self.seed_threshold:.6g}"
        if self.min_mass:
            level += f", mass >= {self.min_mass:.6g}"
        if self.image_threshold is not None:
            level += f", images > {self.image_threshold:.6g}"
        return (
            f"{level}, blobs >= {self.min_area_px} px "
            f"({self.rule}({given}), {self.n_images} normal images of {self.split}, "
            f"{self.n_pixels} px)"
        )


NO_THRESHOLD = Calibration(math.inf)  # for whoever wants raw maps alone
