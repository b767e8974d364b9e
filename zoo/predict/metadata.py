"""What an exported graph carries along, as one JSON text: calibration, resizes, tiling."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypedDict

from zoo.data.tiling.grid import Layout, Remainder, scaled_size
from zoo.data.tiling.stitch import Seams
from zoo.postprocess.calibration import Calibration
from zoo.utils.errors import ZooError
from zoo.utils.schema import Count, Digest, Flag, Length, Number, Text, parse_json, validated

KEY = "anomalib_zoo"  # in `metadata_props` of ONNX and in `rt_info` of OpenVINO
FORMAT_VERSION = 5  # also stands for the way of `zoo.postprocess.to_native`
REPAIR = "export again with `zoo export`"
UNSIGNED = "0" * 64  # in the place of a graph's SHA-256 while it is computed

Side = Annotated[Count, Field(ge=1, le=1 << 14)]  # of what a network sees, in pixels
Factor = Annotated[Number, Field(gt=0, le=64)]


class Scale(TypedDict):
    """The resize before tiles are cut, see `zoo.data.transforms`: by a factor or to a side."""

    scale: Factor | None
    shorter_side: Side | None
    multiple: Side
    bicubic: Flag


class TileLayout(TypedDict):
    """Where tiles lie, see `zoo.data.tiling.grid.Layout`."""

    tile: Side
    overlap: Length
    remainder: Remainder
    multiple: Side


class Tiling(TypedDict):
    """How images are cut and maps stitched."""

    resize: Scale
    layout: TileLayout
    seams: Seams


@dataclass(frozen=True)
class KeptAspect:
    """How a model that keeps the aspect of images resizes them.

    Attributes:
        scale: Factor of both sides.
        shorter_side: Pixels of the shorter side; instead of `scale`.
        multiple: Both sides are rounded to multiples of this; None rounds the longer side down.
        longer_side: Most pixels of the longer side, where `multiple` is None.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    scale: Factor | None = None
    shorter_side: Side | None = None
    multiple: Side | None = None
    longer_side: Side | None = None

    def size_of(self, native_size: tuple[int, int]) -> tuple[int, int]:
        """Return (h, w) of an image of (H, W) pixels, as `Scaled` or torchvision's `Resize`."""
        if self.multiple is not None:
            return scaled_size(native_size, self.scale, self.shorter_side, self.multiple)
        assert self.shorter_side is not None
        shorter, longer = sorted(native_size)
        small, large = self.shorter_side, int(self.shorter_side * longer / shorter)
        if self.longer_side is not None and large > self.longer_side:
            small, large = int(self.longer_side * small / large), self.longer_side
        return (small, large) if native_size[0] <= native_size[1] else (large, small)


@dataclass(frozen=True)
class ImageResize:
    """How an image gets to the size of the graph's input: antialiased, and 8-bit again.

    Attributes:
        size: (h, w) in pixels.
        interpolation: Name of torchvision's mode.
        aspect: How the model resizes images, if it keeps their aspect: the graph takes only those
            that have `size` then. None resizes all of them to `size`.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    size: tuple[Side, Side]
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    aspect: KeptAspect | None = None

    def model_size(self, native_size: tuple[int, int]) -> tuple[int, int]:
        """Return (h, w) that the model gives an image of (H, W) pixels."""
        return self.size if self.aspect is None else self.aspect.size_of(native_size)

    def fits(self, native_size: tuple[int, int]) -> bool:
        """Whether the model brings an image of (H, W) pixels to the size of the graph's input."""
        return self.model_size(native_size) == self.size


@dataclass(frozen=True)
class ExportMetadata:
    """What turns an image into a graph's input, and its output into a mask.

    The input is float32 (B, 3, h, w), RGB in [0, 1]: what else the network needs is in the graph.
    Outputs are `anomaly_map`, (B, 1, h, w) or (B, h, w), and `pred_score`, both raw.

    Attributes:
        calibration: Thresholds and blob limits for `zoo.postprocess.finish`.
        resize: What an image goes through first; None if the graph takes any size.
        tiling: How images larger than the graph are cut and maps stitched; None for whole ones.
        map_reduction: Score maps get the native size divided by this first; 1 leaves them.
        precision: fp32; fp16, whose weights are kept in half precision; or int8.
        made_from: Identifies the model and the calibration that the graph was made from.
        is_cut: Images of several sizes are cut into tiles, where the run sees them whole.
        method: Name of the model's class.
        versions: {package: version} that the graph was made with.
        sha256: Of the graph's files, see `zoo.predict.graph_files`.
        version: Version of this format.

    Example:
        >>> metadata = ExportMetadata(Calibration(0.5), ImageResize((256, 256)))
        >>> ExportMetadata.from_text(metadata.to_text()) == metadata
        True
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    calibration: Calibration
    resize: ImageResize | None = None
    tiling: Tiling | None = None
    map_reduction: Annotated[Length, Field(ge=1)] = 1
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    made_from: Text = ""
    is_cut: Flag = False
    method: Text = ""
    versions: dict[Text, Text] = field(default_factory=dict)
    sha256: Digest = field(default=UNSIGNED, compare=False)
    version: Count = FORMAT_VERSION

    def to_text(self) -> str:
        """Return the metadata as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str, source: str = "the graph") -> ExportMetadata:
        """Rebuild the metadata from `to_text`; `source` names the file in errors.

        Raises:
            ZooError: The text is damaged, or another version wrote it.
        """
        data = parse_json(text, source, REPAIR)
        if not isinstance(data, dict):
            raise ZooError(f"{source}: its metadata is damaged: {REPAIR}")
        if (version := data.get("version")) != FORMAT_VERSION:
            raise ZooError(
                f"{source}: metadata of format {version}, this version reads {FORMAT_VERSION}: "
                f"{REPAIR}"
            )
        calibration = Calibration.from_dict(
            data.get("calibration"), f"{source}: calibration", REPAIR
        )
        made = validated(cls, {**data, "calibration": calibration}, source, REPAIR)
        made._check(source)
        return made

    def _check(self, source: str) -> None:
        """Raise where numbers that are valid by themselves contradict each other."""
        aspect = self.resize and self.resize.aspect
        if aspect and (
            (aspect.scale is None) == (aspect.shorter_side is None)
            or (aspect.multiple is None and aspect.shorter_side is None)
        ):
            raise ZooError(f"{source}: resize.aspect needs a scale or a shorter_side: {REPAIR}")
        if self.tiling is None:
            return
        scale = self.tiling["resize"]
        if (scale["scale"] is None) == (scale["shorter_side"] is None):
            raise ZooError(f"{source}: tiling.resize needs a scale or a shorter_side: {REPAIR}")
        try:
            Layout(**self.tiling["layout"])
        except ZooError as error:
            raise ZooError(f"{source}: {error}; {REPAIR}") from error
