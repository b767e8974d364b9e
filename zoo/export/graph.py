"""Exporting a fitted model: traced by anomalib's own exporter, precision and metadata by us.

The graph begins behind the resize, for two reasons: anomalib's exported resize has no antialiasing,
so that its maps are not those of runs, and pictures can be resized once for several graphs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
from anomalib.models import AnomalibModule
from torchvision.transforms.v2 import Compose, InterpolationMode, Resize, Transform

from zoo.data.anomalib_internals import get_exportable_transform
from zoo.data.transforms import Scaled, leading_resize
from zoo.export.precision import convert
from zoo.export.sizes import fixed_size
from zoo.methods.post_processor import BlobPostProcessor
from zoo.postprocess.calibration import Calibration
from zoo.predict.graph_files import ONNX, OPENVINO, write_metadata
from zoo.predict.metadata import ExportMetadata, ImageResize, KeptAspect
from zoo.utils.errors import ZooError
from zoo.utils.timing import versions

# Opset 18 is the smallest that torch writes; it would try in vain to convert to anomalib's 14.
ONNX_OPTIONS = {"opset_version": 18, "verbose": False}


def export_model(
    model: AnomalibModule,
    path: str | Path,
    calibration: Calibration | None = None,
    input_size: tuple[int, int] | None = None,
    precision: str = "fp32",
    images: Sequence[np.ndarray] | None = None,
) -> Path:
    """Write a fitted model as a graph that carries its calibration.

    Args:
        model: A fitted module.
        path: Where to write, `.onnx` or `.xml` (OpenVINO).
        calibration: Thresholds and blob limits; by default those of the model's post-processor.
            Those of int8 should be set anew, as `zoo export` does.
        input_size: (h, w) of the input, needed where the model resizes to no fixed size.
        precision: fp32, fp16 or int8, see `zoo.export.precision`.
        images: For int8, see `convert`.

    Returns:
        The path.

    Raises:
        ZooError: The model is not calibrated, or `input_size` is missing or contradicts its resize.
    """
    path = Path(path).expanduser()
    if path.suffix not in (ONNX, OPENVINO):
        raise ZooError(f"cannot export to {path}: name a {ONNX} or {OPENVINO} file")
    calibration = calibration or calibration_of(model)
    metadata = replace(metadata_of(model, calibration, input_size), precision=precision)
    with writing_aside(path.parent) as aside:
        source = traced(model, aside / "traced", input_size)
        convert(source, aside / path.name, precision, images)
        write_metadata(aside / path.name, metadata)
        move_graph(aside / path.name, path)
    return path


def traced(model: AnomalibModule, folder: Path, input_size: tuple[int, int] | None = None) -> Path:
    """Write a model as the ONNX graph that all others are made from, without metadata.

    Args:
        model: A fitted module.
        folder: Where to write.
        input_size: See `export_model`.
    """
    with after_resize(model, input_size) as size:
        return model.to_onnx(folder, "model", size, **ONNX_OPTIONS)


@contextmanager
def writing_aside(folder: Path) -> Iterator[Path]:
    """Give a folder beside the files to write; what was not moved in place is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as aside:
        yield Path(aside)


def move_graph(made: Path, path: Path) -> None:
    """Move a graph, and its weights first, to where it belongs."""
    for file in sorted(made.parent.glob(f"{made.stem}.*"), key=lambda file: file == made):
        file.replace(path.with_name(file.name))


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


def metadata_of(
    model: AnomalibModule, calibration: Calibration, input_size: tuple[int, int] | None = None
) -> ExportMetadata:
    """Return what a graph of a model carries along; arguments as `export_model`."""
    pre_processor = model.pre_processor
    tiling = getattr(pre_processor, "tiling", None)
    resize = leading_resize(getattr(pre_processor, "transform", None)) if tiling is None else None
    size = input_size if resize is None else fixed_size(resize) or input_size
    return ExportMetadata(
        calibration=calibration,
        resize=None if resize is None or size is None else _described(resize, size),
        tiling=tiling,
        map_reduction=getattr(pre_processor, "map_reduction", 1),
        method=type(model).__name__,
        versions=versions(),
    )


@contextmanager
def after_resize(
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
    size = fixed_size(resize) if resize is not None else None
    if layout is not None:
        size = (layout.tile, layout.tile)
    if size is not None and input_size is not None and tuple(input_size) != size:
        raise ZooError(
            f"input_size {tuple(input_size)} is not the model's own {size}: the graph takes images "
            "that are resized already; leave it out, or fit the model at that size"
        )
    if resize is not None and size is None and input_size is None:
        raise ZooError(
            f"the model resizes the shorter side to {_side(resize)} and has no fixed size: "
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


def _side(resize: Resize) -> str:
    side = resize.shorter_side if isinstance(resize, Scaled) else resize.size[0]
    return str(side or f"a share of {resize.scale}")


def _described(resize: Resize, size: tuple[int, int]) -> ImageResize:
    mode = resize.interpolation
    if isinstance(mode, int):  # Pillow's number
        mode = "bicubic" if mode == PIL.Image.Resampling.BICUBIC else "bilinear"
    mode = InterpolationMode(mode).value  # checkpoints restore it as a text
    if mode not in ("bilinear", "bicubic") or not resize.antialias:
        raise ZooError(
            f"the model resizes pictures by '{mode}', antialias={resize.antialias}, as no graph "
            "does: fit it with bilinear or bicubic and antialias=True"
        )
    return ImageResize(tuple(size), mode, aspect=_aspect(resize))


def _aspect(resize: Resize) -> KeptAspect | None:
    if fixed_size(resize) is not None:
        return None
    if isinstance(resize, Scaled):
        return KeptAspect(resize.scale, resize.shorter_side, resize.multiple)
    return KeptAspect(shorter_side=resize.size[0], longer_side=resize.max_size)


def _rest(transform: Transform) -> Transform | None:
    """Return a transform without the resize that it begins with."""
    if not isinstance(transform, Compose):
        return None
    first, *others = transform.transforms
    inner = _rest(first)
    parts = [part for part in (inner, *others) if part is not None]
    return Compose(parts) if parts else None
