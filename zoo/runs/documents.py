"""What the JSON files of a run hold, as types that are checked when they are read.

They are plain data on the way out and on the way in, so each is a `TypedDict`. Keys that do not
stand here are not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from zoo.data.splits import PRIVATE_SPLITS
from zoo.utils.errors import ZooError
from zoo.utils.schema import (
    Area,
    Count,
    Digest,
    FileName,
    Flag,
    Length,
    Name,
    NonNegative,
    Number,
    RecipeName,
    Text,
    read_json,
    validated,
)

METRICS = "metrics.json"
COST = "cost.json"
FAILED = "failed.json"
CASES_LIST = "cases.json"  # in each folder of cases
# Why a figure is not known here; any other reason for a null is that it has no value.
NO_TRUTH = "no ground truth on this machine"
NO_MASKS = "defective images without masks"
SERVER = "server"  # who alone can score a split whose truth is withheld
REPAIR = "copy the run again, or repeat the command that made it, which makes it anew"

# An area under a curve is a sum of many floats, and may end an ulp above one.
Share = Annotated[Number, Field(ge=0, le=1 + 1e-9)]
_KEEP = {"extra": "allow"}


class Figures(TypedDict, total=False):
    """Figures of one split; beside each null stands a reason."""

    __pydantic_config__ = _KEEP  # type: ignore[misc]

    segf1: Share | None
    segf1_low: Share | None
    segf1_high: Share | None
    precision: Share | None
    recall: Share | None
    oracle_segf1: Share | None
    segf1_all_positive: Share | None
    flagged_fraction: Share | None
    image_auroc: Share | None
    image_auroc_low: Share | None
    image_auroc_high: Share | None
    image_f1_max: Share | None
    pixel_auroc: Share | None
    au_pro_005: Share | None
    au_pro_030: Share | None
    false_blobs_per_good_image: NonNegative | None
    false_alarm_rate: Share | None
    detection_rate: Share | None
    n_images: Count | None
    n_good: Count | None
    reasons: dict[Text, Text]


class ExpectedFalseAlarms(TypedDict, total=False):
    """False alarms to expect among good images, see `zoo.postprocess.false_alarms`."""

    __pydantic_config__ = _KEEP  # type: ignore[misc]

    n_images: Annotated[Count, Field(ge=1)]
    n_alarms: Count
    n_blobs: Count
    held_out: Flag
    per_1000: NonNegative
    low_1000: NonNegative
    high_1000: NonNegative


class Metrics(TypedDict):
    """`metrics.json`: which run this is, and its figures split by split."""

    __pydantic_config__ = _KEEP  # type: ignore[misc]

    recipe: RecipeName
    method: Text
    object: Name
    seed: Count
    splits: dict[Name, Figures]
    config_hash: NotRequired[Text]
    settings_hash: NotRequired[Text]
    data_fingerprint: NotRequired[Text]
    vand4_admissible: NotRequired[Text]
    command: NotRequired[Text]
    format: NotRequired[Count]
    zoo_version: NotRequired[Text]
    bit_depth: NotRequired[Annotated[Count, Field(ge=8, le=16)] | None]
    expected_false_alarms: NotRequired[ExpectedFalseAlarms | None]


class Phase(TypedDict, total=False):
    """Seconds of one part of a run."""

    wall_s: NonNegative
    cpu_s: NonNegative


class Latency(TypedDict, total=False):
    """Milliseconds of one image, and how many were timed."""

    p50_ms: NonNegative
    p95_ms: NonNegative
    mean_ms: NonNegative
    passes: Count
    batch_size: Count


class Memory(TypedDict, total=False):
    """Memory of the process and of the graphics card, MB of 10**6 bytes."""

    peak_rss_mb: NonNegative
    above_start_mb: NonNegative
    peak_device_mb: NonNegative | None


class Cost(TypedDict, total=False):
    """`cost.json`: what a run took, and on which machine."""

    __pydantic_config__ = _KEEP  # type: ignore[misc]

    phases: dict[Text, Phase]
    total_s: NonNegative
    latency: Latency
    memory: Memory
    parameters: Count
    device: Text
    processor: Text
    threads: Count
    versions: dict[Text, Text]


class Failure(TypedDict):
    """`failed.json`: why there is no result."""

    recipe: RecipeName
    object: Name
    seed: Count
    reason: Text


Box = tuple[Length, Length, Length, Length]  # x, y, width, height in pixels
ImageSide = Annotated[Length, Field(ge=1)]


class CaseBlob(TypedDict):
    """One blob of a case's mask, in pixels of the image."""

    id: Count
    box: Box
    area_px: Area
    peak: Number


class CaseFacts(TypedDict):
    """One entry of `cases.json`: an image worth a look, and what its mask holds."""

    kind: Literal["worst", "best", "false_alarm", "highest_normal_score"]
    rank: Count
    file: Name
    image: Text
    value: Number
    width: ImageSide
    height: ImageSide
    has_truth: Flag
    n_blobs: Count
    blobs: list[CaseBlob]
    missed: list[Box]


class MapEntry(TypedDict):
    """One entry of `maps/<split>/index.json`: a score map that was kept."""

    file: Name
    image: FileName
    native_size: tuple[ImageSide, ImageSide]  # a list in JSON
    score: Number
    sha256: Digest


def read_metrics(folder: Path) -> Metrics | None:
    """Return the metrics of a finished run, or None where there are none that can be read."""
    try:
        return check_metrics(folder)
    except ZooError:
        return None


def check_metrics(folder: Path) -> Metrics:
    """Return the metrics of a finished run.

    Raises:
        ZooError: They are missing or damaged.
    """
    return _read(Metrics, Path(folder) / METRICS)


def read_cost(folder: Path) -> Cost:
    """Return what a run took; nothing where it left no record of it.

    Raises:
        ZooError: The record is damaged.
    """
    path = Path(folder) / COST
    return _read(Cost, path) if path.is_file() else Cost()


def read_failure(path: Path) -> Failure:
    """Return why a run failed, from its `failed.json`.

    Raises:
        ZooError: The file is damaged.
    """
    return _read(Failure, path)


def read_cases(path: Path) -> list[CaseFacts]:
    """Return the cases of one split, from its `cases.json`; none if there is no such file.

    Raises:
        ZooError: The file is damaged.
    """
    return _read(list[CaseFacts], path) if path.is_file() else []


def read_maps_index(path: Path) -> list[MapEntry]:
    """Return what a split's folder of score maps holds, from its `index.json`.

    Raises:
        ZooError: The file is missing or damaged.
    """
    return _read(list[MapEntry], path)


def _read(kind: Any, path: Path) -> Any:
    return validated(kind, read_json(path, REPAIR), path, REPAIR)


def is_scored(figures: Figures) -> bool:
    """Whether SegF1 of a split is known, or is known to have no value there."""
    reason = (figures.get("reasons") or {}).get("segf1", NO_TRUTH)
    return figures.get("segf1") is not None or reason not in (NO_TRUTH, NO_MASKS)


def result_text(metrics: Metrics, splits: Sequence[str] | None = None) -> str:
    """Return `private SegF1 0.530, ...; VAND 4 yes`, or image AUROC where no mask is known."""
    parts = []
    for split in metrics["splits"] if splits is None else splits:
        values = metrics["splits"][split]
        name, segf1 = split.removeprefix("test_"), values["segf1"]
        if segf1 is None and values["image_auroc"] is not None:
            parts.append(f"{name} image AUROC {values['image_auroc']:.3f}")
        else:
            is_withheld = split in PRIVATE_SPLITS and not is_scored(values)
            unknown = SERVER if is_withheld else "-"
            parts.append(f"{name} SegF1 {unknown if segf1 is None else f'{segf1:.3f}'}")
    text = ", ".join(parts) or "no test images"
    admissible = metrics.get("vand4_admissible")
    return f"{text}; VAND 4 {admissible}" if admissible else text
