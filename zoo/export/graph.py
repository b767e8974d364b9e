"""Exporting a fitted model: traced by anomalib's exporter; precision and metadata are ours.

The graph begins after the resize: anomalib's exported resize has no antialiasing. A graph has one
input size: images that have several go through it in square tiles.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import PIL.Image
from anomalib.models import AnomalibModule
from torchvision.transforms.v2 import Compose, InterpolationMode, Resize, Transform

from zoo.data.anomalib_internals import get_exportable_transform
from zoo.data.tiling.grid import Layout
from zoo.data.transforms import Scaled, leading_resize, pre_processing_of, size_at
from zoo.export.precision import convert
from zoo.methods.post_processor import BlobPostProcessor, calibration_of
from zoo.postprocess.calibration import Calibration
from zoo.predict.graph_files import ONNX, OPENVINO, write_metadata
from zoo.predict.metadata import ExportMetadata, ImageResize, KeptAspect, Tiling
from zoo.utils.errors import ZooError
from zoo.utils.timing import versions

# Opset 18 is the smallest that torch writes; it would try in vain to convert to anomalib's 14.
ONNX_OPTIONS = {"opset_version": 18, "verbose": False}
_OVERLAP = 4  # neighbouring tiles share at least about a fourth


def export_model(
    model: AnomalibModule,
    path: str | Path,
    calibration: Calibration | None = None,
    input_size: tuple[int, int] | None = None,
) -> Path:
    """Write a fitted model as a graph in fp32 that carries its calibration.

    Args:
        model: A fitted module.
        path: Where to write, `.onnx` or `.xml` (OpenVINO).
        calibration: Thresholds and blob limits; by default those of the model's post-processor.
        input_size: (h, w) of the input, needed where the model resizes to no fixed size.

    Returns:
        The path.

    Raises:
        ZooError: The model is not calibrated, or `input_size` is missing or contradicts its resize.
    """
    path = Path(path).expanduser()
    if path.suffix not in (ONNX, OPENVINO):
        raise ZooError(f"cannot export to {path}: name a {ONNX} or {OPENVINO} file")
    calibration = calibration or calibration_of(model)
    metadata = metadata_of(model, calibration, input_size)
    with staging_folder(path.parent) as aside:
        source = traced(model, aside / "traced", input_size)
        convert(source, aside / path.name, "fp32")
        write_metadata(aside / path.name, metadata)
        move_graph(aside / path.name, path)
    return path


def traced(model: AnomalibModule, folder: Path, input_size: tuple[int, int] | None = None) -> Path:
    """Write the ONNX graph that all others are made from, without metadata; see `export_model`."""
    with after_resize(model, input_size) as size:
        return model.to_onnx(folder, "model", size, **ONNX_OPTIONS)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside the files to write, for `move_graph`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as aside:
        yield Path(aside)


def move_graph(made: Path, path: Path) -> None:
    """Move a graph, and its weights first, to its place."""
    for file in sorted(made.parent.glob(f"{made.stem}.*"), key=lambda file: file == made):
        file.replace(path.with_name(file.name))


def metadata_of(
    model: AnomalibModule, calibration: Calibration, input_size: tuple[int, int] | None = None
) -> ExportMetadata:
    """Return what a graph of a model carries along; arguments as `export_model`."""
    pre_processor = pre_processing_of(model.pre_processor)
    tiling = pre_processor.tiling
    resize = leading_resize(pre_processor.transform) if tiling is None else None
    size = input_size if resize is None else _fixed_size(resize) or input_size
    return ExportMetadata(
        calibration=calibration,
        resize=None if resize is None or size is None else _image_resize(resize, size),
        tiling=cast("Tiling | None", tiling),
        map_reduction=pre_processor.map_reduction,
        method=type(model).__name__,
        versions=versions(),
    )


@contextmanager
def after_resize(
    model: AnomalibModule, input_size: tuple[int, int] | None = None
) -> Iterator[tuple[int, int] | None]:
    """Let a model's forward pass begin after its resize, and give raw outputs.

    Args:
        model: A fitted module.
        input_size: (h, w) of a model that keeps the aspect of images.

    Yields:
        (h, w) of the input, or None for a graph that takes any size.

    Raises:
        ZooError: `input_size` is missing, or contradicts the model's resize.
    """
    pre_processor: Any = model.pre_processor
    post_processor = model.post_processor
    pre_processing = pre_processing_of(pre_processor)
    transform, layout = pre_processing.transform, pre_processing.layout
    resize = leading_resize(transform) if layout is None else None
    size = _fixed_size(resize) if resize is not None else None
    if layout is not None:
        size = (layout.tile, layout.tile)
    if size is not None and input_size is not None and input_size != size:
        raise ZooError(
            f"input_size {input_size} is not the model's own {size}: the graph takes images "
            "that are resized already; leave it out, or fit the model at that size"
        )
    if resize is not None and size is None and input_size is None:
        side = resize.shorter_side if isinstance(resize, Scaled) else resize.size[0]
        raise ZooError(
            f"the model resizes the shorter side to {side or f'a share of {resize.scale}'} and has "
            "no fixed size: give input_size, the height and width of your images at that scale"
        )
    if resize is not None:
        export_transform = pre_processor.export_transform
        pre_processor.export_transform = get_exportable_transform(_without_resize(transform))
    if not isinstance(post_processor, BlobPostProcessor):
        model.post_processor = BlobPostProcessor()  # whatever it was, the graph stays raw
    try:
        yield size or input_size
    finally:
        model.post_processor = post_processor
        if resize is not None:
            pre_processor.export_transform = export_transform


def input_sizes(
    model: AnomalibModule, native_sizes: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Return the sizes (h, w) that a model resizes images to by their aspect; none if fixed."""
    resize = _keeping_aspect(model)
    return set() if resize is None else {size_at(size, resize) for size in native_sizes}


def in_tiles(metadata: ExportMetadata, model: AnomalibModule) -> ExportMetadata:
    """Return the metadata of a graph that sees images in tiles, where the run sees them whole.

    Args:
        metadata: Of the graph, whose input is square.
        model: What the graph was made from; it keeps the aspect of images.

    Raises:
        ZooError: The model's resize bounds the longer side, so that images have no common scale.
    """
    resize = _keeping_aspect(model)
    assert resize is not None
    assert metadata.resize is not None
    side, _ = metadata.resize.size
    if isinstance(resize, Scaled):
        scale = resize.to_dict()
    elif resize.max_size is not None:
        raise ZooError(
            f"the model resizes images to at most {resize.max_size} px, so that no tile suits "
            "all: give --good images of one shape"
        )
    else:
        bicubic = metadata.resize.interpolation == "bicubic"
        scale = Scaled(shorter_side=side, bicubic=bicubic).to_dict()
    unit = scale["multiple"]
    layout = Layout(side, side // _OVERLAP // unit * unit, multiple=unit)
    tiling = {"resize": scale, "layout": layout.to_dict(), "seams": "blend"}
    # A cast: `to_dict` gives plain data, whose types are checked when a graph is read.
    return replace(metadata, resize=None, tiling=cast(Tiling, tiling), is_cut=True)


def _keeping_aspect(model: AnomalibModule) -> Resize | None:
    """Return the resize of whole images that keeps their aspect, if a model begins with one."""
    pre_processing = pre_processing_of(model.pre_processor)
    if pre_processing.layout is not None:
        return None
    resize = leading_resize(pre_processing.transform)
    return None if resize is None or _fixed_size(resize) is not None else resize


def _fixed_size(resize: Resize) -> tuple[int, int] | None:
    """Return (h, w) of a resize to a fixed size; None for one that keeps the aspect."""
    if isinstance(resize, Scaled) or len(resize.size) != 2:
        return None
    return resize.size[0], resize.size[1]


def _image_resize(resize: Resize, size: tuple[int, int]) -> ImageResize:
    mode = resize.interpolation
    if isinstance(mode, int):  # Pillow's number
        mode = "bicubic" if mode == PIL.Image.Resampling.BICUBIC else "bilinear"
    mode = InterpolationMode(mode).value  # checkpoints restore it as a text
    if mode not in ("bilinear", "bicubic") or not resize.antialias:
        raise ZooError(
            f"the model resizes images by '{mode}', antialias={resize.antialias}, as no graph "
            "does: fit it with bilinear or bicubic and antialias=True"
        )
    if _fixed_size(resize) is not None:
        aspect = None
    elif isinstance(resize, Scaled):
        aspect = KeptAspect(resize.scale, resize.shorter_side, resize.multiple)
    else:
        aspect = KeptAspect(shorter_side=resize.size[0], longer_side=resize.max_size)
    return ImageResize(size, mode, aspect)


def _without_resize(transform: Transform | None) -> Transform | None:
    """Return a transform without the resize that it begins with."""
    if not isinstance(transform, Compose):
        return None
    first, *others = transform.transforms
    rest = _without_resize(first)
    parts = [part for part in (rest, *others) if part is not None]
    return Compose(parts) if parts else None
