"""Exporting a fitted model: the graph by anomalib's own exporter, the metadata by us.

The graph begins behind the resize, for two reasons: anomalib's exported resize has no antialiasing,
so that its maps are not those of runs, and pictures can be resized once for several graphs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomalib.models import AnomalibModule
from anomalib.pre_processing.utils.transform import get_exportable_transform
from torchvision.transforms.v2 import Compose, InterpolationMode, Resize, Transform

from zoo.data.native import leading_resize
from zoo.errors import ZooError
from zoo.export.files import ONNX, OPENVINO, write_metadata
from zoo.export.metadata import ExportMetadata, ImageResize
from zoo.post.calibration import Calibration
from zoo.post.processor import BlobPostProcessor
from zoo.timing import versions

# Opset 18 is the smallest that torch writes; it would try in vain to convert to anomalib's 14.
ONNX_OPTIONS = {"opset_version": 18, "verbose": False}


def export_model(
    model: AnomalibModule,
    path: str | Path,
    calibration: Calibration | None = None,
    input_size: tuple[int, int] | None = None,
    **kwargs: Any,
) -> Path:
    """Write a fitted model as a graph that carries its calibration.

    Args:
        model: A fitted module.
        path: Where to write, `.onnx` or `.xml` (OpenVINO, weights in float32).
        calibration: Thresholds and blob limits; by default those of the model's post-processor.
        input_size: (h, w) of the input, needed where the model resizes to no fixed size.
        **kwargs: For anomalib's `to_onnx` or `to_openvino`.

    Returns:
        The path.

    Raises:
        ZooError: The model is not calibrated, or `input_size` is missing or contradicts its resize.
    """
    path = Path(path).expanduser()
    if path.suffix not in (ONNX, OPENVINO):
        raise ZooError(f"cannot export to {path}: name a {ONNX} or {OPENVINO} file")
    metadata = metadata_of(model, calibration or calibration_of(model))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Anomalib writes below a root of its own, two folders deep.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        with behind_the_resize(model, input_size) as size:
            if path.suffix == ONNX:
                options = {**ONNX_OPTIONS, **kwargs}
                made = model.to_onnx(folder, path.stem, size, **options)
            else:
                options = {"onnx_kwargs": ONNX_OPTIONS, **kwargs}
                made = model.to_openvino(folder, path.stem, size, **options)
        write_metadata(made, metadata)
        for file in sorted(made.parent.iterdir()):
            file.replace(path.parent / file.name)
    return path


def calibration_of(model: AnomalibModule) -> Calibration:
    """Return the calibration of a model's post-processor.

    Raises:
        ZooError: It has none.
    """
    calibration = getattr(model.post_processor, "calibration", None)
    if calibration is None:
        raise ZooError(
            f"{type(model).__name__} is not calibrated, so that its graph could make no mask: "
            "fit it with zoo train, fit or bench, and give that checkpoint"
        )
    return calibration


def metadata_of(model: AnomalibModule, calibration: Calibration) -> ExportMetadata:
    """Return what a graph of a model carries along."""
    resize = leading_resize(getattr(model.pre_processor, "transform", None))
    return ExportMetadata(
        calibration=calibration,
        resize=None if resize is None or _fixed(resize) is None else _described(resize),
        tiling=getattr(model.pre_processor, "tiling", None),
        method=type(model).__name__,
        versions=versions(),
    )


@contextmanager
def behind_the_resize(
    model: AnomalibModule, input_size: tuple[int, int] | None = None
) -> Iterator[tuple[int, int] | None]:
    """Let a model's forward pass begin behind its resize, and put it on raw outputs.

    Args:
        model: A fitted module.
        input_size: What a person wants, or None.

    Yields:
        (h, w) of the input, or None for a graph that takes any size.

    Raises:
        ZooError: `input_size` is missing, or contradicts the model's resize.
    """
    pre_processor, post_processor = model.pre_processor, model.post_processor
    transform = getattr(pre_processor, "transform", None)
    layout = getattr(pre_processor, "layout", None)  # of tiles: the graph takes one
    resize = leading_resize(transform) if layout is None else None
    size = _fixed(resize) if resize is not None else None
    if layout is not None:
        size = (layout.tile, layout.tile)
    if size is not None and input_size is not None and tuple(input_size) != size:
        raise ZooError(
            f"input_size {tuple(input_size)} is not the model's own {size}: the graph takes images "
            "that are resized already; leave it out, or fit the model at that size"
        )
    if resize is not None and size is None and input_size is None:
        raise ZooError(
            f"the model resizes the shorter side to {resize.size[0]} and has no fixed size: "
            "give input_size, the height and width of your pictures at that scale"
        )
    exported = getattr(pre_processor, "export_transform", None)
    if resize is not None:
        pre_processor.export_transform = get_exportable_transform(_rest(transform))
    if not isinstance(post_processor, BlobPostProcessor):
        model.post_processor = BlobPostProcessor()  # whatever it was, the graph stays raw
    try:
        yield size or (tuple(input_size) if input_size else None)
    finally:
        model.post_processor = post_processor
        if resize is not None:
            pre_processor.export_transform = exported


def _fixed(resize: Resize) -> tuple[int, int] | None:
    """Return (h, w) of a resize to a fixed size; None for one that keeps the aspect."""
    return tuple(resize.size) if len(resize.size) == 2 else None


def _described(resize: Resize) -> ImageResize:
    mode = InterpolationMode(resize.interpolation)  # checkpoints restore it as a text
    return ImageResize(_fixed(resize), mode.value, bool(resize.antialias))


def _rest(transform: Transform) -> Transform | None:
    """Return a transform without the resize that it begins with."""
    if not isinstance(transform, Compose):
        return None
    first, *others = transform.transforms
    inner = _rest(first)
    parts = [part for part in (inner, *others) if part is not None]
    return Compose(parts) if parts else None
