"""A calibration: the thresholds and blob limits that normal images gave, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from zoo.postprocess.background import Normalisation, normalised
from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError
from zoo.utils.schema import (
    Area,
    Count,
    Flag,
    Length,
    NonNegative,
    Number,
    Text,
    read_json,
    validated,
)

FORMAT_VERSION = 3
REPAIR = "copy it again, or `zoo calibrate RUN --rule RULE` makes a new one"
_LARGEST = float(np.finfo(np.float32).max)  # of a score
_TINY = float(np.finfo(np.float32).tiny)  # smaller numbers are what is left of zero
_EQUAL = 1e-6  # of the largest score: what float32 and resizing make of equal ones

_UNITS: dict[Normalisation, str] = {
    "none": "",
    "median": " above the image's median",
    "robust": " spreads above the image's median",
}
BitDepth = Annotated[Count, Field(ge=8, le=16)]
Score = Annotated[Number, Field(ge=-_LARGEST, le=_LARGEST)]
Spread = Annotated[NonNegative, Field(le=_LARGEST)]
Stroke = Annotated[Length, Field(le=1 << 12)]  # side of what shapes masks


class Sweep(TypedDict):
    """How MEBin looks for an image's own threshold, see `zoo.postprocess.mebin`."""

    step: Annotated[Count, Field(ge=1, le=255)]
    shortest_run: Annotated[Count, Field(ge=1, le=255)]


@dataclass(frozen=True)
class Calibration:
    """What turns a score map into a mask; plain numbers that travel as JSON and in checkpoints.

    The types hold for whatever is read; in memory a threshold may be infinite, see `NO_THRESHOLD`.
    Lengths and areas are in pixels of the native image. Thresholds, like `normal_min` and
    `normal_max`, are in units of the normalised score, which is the raw score for "none".

    Attributes:
        threshold: A pixel is a candidate if its score is greater.
        min_area_px: Blobs (8-connected) smaller than this are dropped; 0 or 1 keeps all.
        seed_threshold: A blob is kept only if some score in it is greater than this too.
        min_mass: Blobs whose scores above the threshold sum up to less are dropped.
        normalisation: What is taken off each image's own map first, see
            `zoo.postprocess.background`.
        spread_floor: Smallest spread that "robust" divides by.
        close_px: Length of gaps that are bridged along lines.
        fill_holes_px: Area up to which enclosed holes are filled.
        erode_px: Side of the square that masks are eroded by.
        border_px: Width of a frame in which nothing counts.
        sweep: If given, each image has its own threshold at or above `threshold`, see
            `zoo.postprocess.mebin`: `step` and `shortest_run`.
        rule: Name of the rule that set the numbers.
        parameters: The rule's parameters.
        findings: What the rule measured on the way to its decisions, for the record.
        split: Where the normal images came from.
        n_images: How many there were.
        n_pixels: How many pixels at native size they had.
        images: Which ones they were, see `zoo.data.known_images.image_digests`; empty in
            anomalib's own flow.
        given: Whether a person gave them; otherwise the run itself held them out of the fit.
        bit_depth: By which 16-bit images are read, see `zoo.data.images.to_8_bits`; None where
            those of the fit have 8 bits.
        normal_min: Smallest score of a normal pixel; with the next one it scales images.
        normal_max: Largest score of a normal pixel.
        version: Version of this format.
    """

    threshold: Score
    min_area_px: Area = 0
    seed_threshold: Score | None = None
    min_mass: NonNegative = 0.0
    normalisation: Normalisation = "none"
    spread_floor: Spread = 0.0
    close_px: Stroke = 0
    fill_holes_px: Area = 0
    erode_px: Stroke = 0
    border_px: Length = 0
    sweep: Sweep | None = None
    rule: Text = "fixed"
    parameters: dict[Text, Any] = field(default_factory=dict)
    findings: dict[Text, Any] = field(default_factory=dict)
    split: Text = ""
    n_images: Count = 0
    n_pixels: Count = 0
    images: tuple[Text, ...] = ()
    given: Flag = False
    bit_depth: BitDepth | None = None
    normal_min: Score = 0.0
    normal_max: Score = 1.0
    version: Count = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(
        cls, data: Any, source: object = "the calibration", repair: str = "calibrate again"
    ) -> Calibration:
        """Rebuild a calibration from what `to_dict` gave; unknown keys are ignored.

        Args:
            data: Plain data.
            source: Where it comes from, for the error.
            repair: How to repair it, for the error.

        Raises:
            ZooError: Another version of this format wrote it, or a value is out of its range.
        """
        version = data.get("version") if isinstance(data, dict) else None
        if isinstance(data, dict) and (type(version), version) != (int, FORMAT_VERSION):
            raise ZooError(
                f"{source}: calibration of format {version}, this version reads {FORMAT_VERSION}: "
                "calibrate again"
            )
        made = validated(cls, data, source, repair)
        for low, high in (("threshold", "seed_threshold"), ("normal_min", "normal_max")):
            least, value = getattr(made, low), getattr(made, high)
            if value is not None and value < least:
                raise ZooError(f"{source}: {high} is {value}, less than {low} ({least}): {repair}")
        return made

    def save(self, path: Path) -> None:
        """Write the calibration as JSON."""
        write_text(path, self.to_text())

    def to_text(self) -> str:
        """Return the calibration as JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a calibration written by `save`.

        Raises:
            ZooError: The file cannot be read, see `from_dict`.
        """
        return cls.from_dict(read_json(path, REPAIR), path, REPAIR)

    def for_display(self, score_map: np.ndarray) -> np.ndarray:
        """Scale raw scores (..., H, W) to [0, 1]: normal minimum at 0, threshold at one half.

        The scale is the same for all images; it is for the eye, never measure on it.
        """
        half = self.threshold - self.normal_min
        if half <= 0:
            half = max(self.normal_max - self.normal_min, _TINY)
        maps = score_map.reshape(-1, *score_map.shape[-2:])
        scores = np.stack([normalised(m, self.normalisation, self.spread_floor) for m in maps])
        return np.clip(0.5 * (scores - self.normal_min) / half, 0, 1).reshape(score_map.shape)

    def describe(self) -> str:
        """Return in one line which rule set which number from what."""
        given = ", ".join(f"{k}={v}" for k, v in self.parameters.items() if v not in (0, "none"))
        kind = "threshold" if self.sweep is None else "each image's own threshold, at least"
        level = f"{kind} {self.threshold:.6g}{_UNITS[self.normalisation]}"
        if self.seed_threshold is not None:
            level += f", peak > {self.seed_threshold:.6g}"
        if self.min_mass:
            level += f", mass >= {self.min_mass:.6g}"
        depth = f", 16-bit images read as {self.bit_depth} bits" if self.bit_depth else ""
        return (
            f"{level}, blobs >= {self.min_area_px} px "
            f"({self.rule}({given}), {self.n_images} normal images of {self.split}, "
            f"{self.n_pixels} px{depth})"
        )


NO_THRESHOLD = Calibration(math.inf)  # for raw maps alone


def doubt(calibration: Calibration, score_maps: Iterable[np.ndarray]) -> str | None:
    """Return in one line why a calibration may mean nothing, or None if all looks well.

    Args:
        calibration: What a rule derived.
        score_maps: The raw maps that it was derived from, (H, W) each.
    """
    constant = [_is_constant(score_map) for score_map in score_maps]
    if any(constant):
        why = f"{sum(constant)} of {len(constant)} normal images score alike in all pixels"
    elif 0 < abs(calibration.threshold) < _TINY:
        why = f"{calibration.threshold:.2g} is as good as zero"
    else:
        return None
    return f"the threshold may mean nothing, {why}: are images blank, or is the model not fitted?"


def _is_constant(score_map: np.ndarray) -> bool:
    low, high = float(score_map.min()), float(score_map.max())
    return high - low <= max(_TINY, _EQUAL * max(abs(low), abs(high)))
