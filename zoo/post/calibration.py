"""A calibration: the thresholds and blob limits that normal images gave, as plain data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Calibration:
    """What turns a score map into a mask; plain numbers that travel as JSON and in checkpoints.

    Attributes:
        threshold: A pixel is a candidate if its raw score is greater.
        min_area_px: Candidates in 8-connected blobs smaller than this, in pixels of the native
            image, are dropped; 0 or 1 keeps all.
        rule: Name of the rule that set the numbers.
        parameters: The rule's parameters.
        split: Where the normal images came from.
        n_images: How many there were.
        n_pixels: How many pixels at native size they had.
        normal_min: Smallest raw score of a normal pixel; with the next one it scales pictures.
        normal_max: Largest raw score of a normal pixel.
        version: Version of this format.
    """

    threshold: float
    min_area_px: int = 0
    rule: str = "fixed"
    parameters: dict[str, Any] = field(default_factory=dict)
    split: str = ""
    n_images: int = 0
    n_pixels: int = 0
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
        if data.get("version") != FORMAT_VERSION:
            raise ZooError(
                f"calibration of format {data.get('version')}, this version reads "
                f"{FORMAT_VERSION}: calibrate again"
            )
        known = {entry.name for entry in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})

    def save(self, path: Path) -> None:
        """Write the calibration as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a calibration written by `save`."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))

    def for_display(self, score_map: np.ndarray) -> np.ndarray:
        """Scale raw scores to [0, 1] for the eye: normal minimum at 0, threshold at one half.

        The scale is the same for all images, so that pictures compare; never measure on it.
        """
        half = self.threshold - self.normal_min
        if half <= 0:
            half = max(self.normal_max - self.normal_min, np.finfo(np.float32).tiny)
        return np.clip(0.5 * (score_map - self.normal_min) / half, 0, 1)

    def describe(self) -> str:
        """Say in one line which rule set which number from what."""
        given = ", ".join(f"{key}={value}" for key, value in self.parameters.items())
        return (
            f"threshold {self.threshold:.6g}, blobs >= {self.min_area_px} px "
            f"({self.rule}({given}), {self.n_images} normal images of {self.split}, "
            f"{self.n_pixels} px)"
        )
