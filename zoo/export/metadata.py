"""What an exported graph carries along: calibration, the resizes on both sides of it, tiling.

It is one text of JSON under one key, the same in every format of graph, so that another format
needs a place for one text and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from zoo.errors import ZooError
from zoo.post.calibration import Calibration

KEY = "anomalib_zoo"  # in `metadata_props` of ONNX and in `rt_info` of OpenVINO
FORMAT_VERSION = 2
_READABLE = (1, 2)  # 2 only adds fields
# The way of `zoo.post.to_native`; an older reader refuses another one that comes later.
NATIVE_RESIZE = "bilinear, pixel centres at one half"


@dataclass(frozen=True)
class ImageResize:
    """How a picture gets to the size of the graph's input; what it is there is 8-bit again.

    Attributes:
        size: (h, w) in pixels, whatever the picture's aspect.
        interpolation: Name of torchvision's mode.
        antialias: Shrinking averages all pixels, always.
    """

    size: tuple[int, int]
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    antialias: bool = True


@dataclass(frozen=True)
class ExportMetadata:
    """What turns a picture into a graph's input, and its output into a mask.

    The input is float32 (B, 3, h, w), RGB in [0, 1]: what else the network wants is in the graph.
    Outputs are `anomaly_map`, (B, 1, h, w) or (B, h, w), and `pred_score`, both raw.

    Attributes:
        calibration: Thresholds and blob limits for `zoo.post.finish`.
        resize: What a picture goes through first; None if the graph takes any size.
        tiling: How pictures larger than the graph are cut and maps stitched; None for whole ones.
        map_reduction: Score maps get the native size divided by this first; 1 leaves them.
        precision: fp32; fp16, whose weights are kept in half precision; or int8.
        made_from: Names the model and the calibration that the graph was made from.
        is_cut: Pictures of several sizes are cut into tiles, where the run sees them whole.
        native_resize: How a score map gets to the picture's own size, see `zoo.post.to_native`.
        method: Name of the model's class.
        versions: {package: version} that the graph was made with.
        version: Version of this format.

    Example:
        >>> metadata = ExportMetadata(Calibration(0.5), ImageResize((256, 256)))
        >>> ExportMetadata.from_text(metadata.to_text()) == metadata
        True
    """

    calibration: Calibration
    resize: ImageResize | None = None
    tiling: dict[str, Any] | None = None
    map_reduction: int = 1
    precision: str = "fp32"
    made_from: str = ""
    is_cut: bool = False
    native_resize: str = NATIVE_RESIZE
    method: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    version: int = FORMAT_VERSION

    def to_text(self) -> str:
        """Return the metadata as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str, source: str = "the graph") -> ExportMetadata:
        """Rebuild the metadata from `to_text`.

        Args:
            text: One text of JSON.
            source: What an error calls the file.

        Raises:
            ZooError: The text is damaged, or a later version wrote it.
        """
        try:
            data = json.loads(text)
            found = data["version"], data["native_resize"]
            if found[0] not in _READABLE or found[1] != NATIVE_RESIZE:
                raise ZooError(
                    f"{source}: metadata of format {found[0]} ({found[1]}), this version reads "
                    f"{FORMAT_VERSION} ({NATIVE_RESIZE}): export again with this version"
                )
            resize = data["resize"]
            if resize is not None:
                resize = ImageResize(**{**resize, "size": tuple(resize["size"])})
            calibration = Calibration.from_dict(data["calibration"])
            known = {"calibration": calibration, "resize": resize, "version": FORMAT_VERSION}
            return cls(**{**data, **known})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ZooError(f"{source}: damaged metadata ({error}): export again") from error
        except ZooError as error:
            if str(error).startswith(source):
                raise
            raise ZooError(f"{source}: {error}") from error
