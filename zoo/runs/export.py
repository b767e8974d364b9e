"""Graphs of a run: traced once, written in each format and precision, limits set anew for int8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo import __version__
from zoo.data.images import image_size, read_image
from zoo.data.splits import TRAIN
from zoo.data.tiling.grid import Layout
from zoo.data.tiling.stitch import cut
from zoo.export.graph import (
    after_resize,
    in_tiles,
    input_sizes,
    metadata_of,
    move_graph,
    staging_folder,
    traced,
)
from zoo.export.precision import FILE_NAMES, MOST_IMAGES, Precision, as_input, convert
from zoo.postprocess.calibration import NO_THRESHOLD
from zoo.postprocess.rules.text import rule_of
from zoo.predict.graph import GraphPredictor, at_graph_size
from zoo.predict.graph_files import read_metadata, write_metadata
from zoo.predict.metadata import ExportMetadata
from zoo.predict.scenes import evenly
from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.calibrations import recalibrate, source_of
from zoo.runs.check import read_calibration
from zoo.runs.folder import CALIBRATION, MODEL
from zoo.runs.normal_images import datamodule_of, maps_of, threshold_images
from zoo.runs.rebuild import load_run, read_config
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256

Log = Callable[[str], None]


@dataclass(frozen=True)
class NormalImages:
    """The normal images that int8 needs.

    Attributes:
        folder: The run.
        root: Where its data set lies now; by default where it lay when the run was fitted.
        normal: Images to take instead, which the run has not learned from.
    """

    folder: Path
    root: Path | None = None
    normal: Sequence[Path] | None = None

    @cached_property
    def for_limits(self) -> list[Path]:
        """Images that may set thresholds."""
        given = list(self.normal) if self.normal is not None else None
        return threshold_images(self.folder, self.config(), given)

    def learned(self) -> list[Path]:
        """Return all training images, or those of `normal`."""
        images = self.for_limits  # raises if images are gone, changed or known to the run
        if self.normal is not None:
            return images
        return [sample.image_path for sample in datamodule_of(self.config()).listed(TRAIN)]

    def config(self) -> dict[str, Any]:
        """Return the run's configuration, with the place where its data is now."""
        config = read_config(self.folder)
        if self.root is not None:
            data = config["data"]
            config["data"] = {**data, "init_args": {**data["init_args"], "root": str(self.root)}}
        return config


def graph_paths(out: Path, suffixes: Sequence[str], precisions: Sequence[Precision]) -> list[Path]:
    """Return the files of a run's graphs, format by format."""
    names = [FILE_NAMES[precision] for precision in precisions]
    return [out / f"{name}{suffix}" for suffix in suffixes for name in names]


def precision_of(path: Path) -> Precision:
    """Return the precision that a file of `graph_paths` is for."""
    return next(precision for precision, name in FILE_NAMES.items() if name == path.stem)


def export_run(
    folder: Path,
    paths: Sequence[Path],
    normal: NormalImages,
    input_size: tuple[int, int] | None = None,
    reuse: bool = False,
    log: Log = lambda text: None,
) -> list[Path]:
    """Write a run's graphs.

    Args:
        folder: The run.
        paths: What to write, see `graph_paths`.
        normal: The normal images of the run.
        input_size: (h, w) of the input, for a model that keeps the aspect of images: the graph
            refuses those that have another size then; by default that of the run's own.
        reuse: Leave graphs alone that were made from this very model and calibration.
        log: Receives what is being done.

    Returns:
        What was written now.

    Raises:
        ZooError: A package or images are missing, or the model takes no such size.
    """
    made_from = _made_from(folder, input_size, normal.normal)
    paths = [path for path in paths if not (reuse and _is_made_from(path, made_from))]
    if not paths:
        return []
    images: list[Path] = []  # that show which values features take; missing ones fail first
    if "int8" in map(precision_of, paths):
        learned = normal.learned()
        images = [learned[index] for index in evenly(len(learned), MOST_IMAGES)]
    predictor = load_run(folder, device="cpu")
    size, is_cut = graph_input_size(predictor, normal, input_size, log)
    metadata = metadata_of(predictor.model, predictor.calibration, size)
    metadata = replace(metadata, made_from=made_from)
    if is_cut:
        metadata = in_tiles(metadata, predictor.model)
    with after_resize(predictor.model, size):
        pass  # an impossible size fails before anything is logged
    if images:
        images = accepted(images, metadata)
    with staging_folder(paths[0].parent) as aside:
        log("tracing the model")
        source = traced(predictor.model, aside / "traced", size)
        for path in paths:
            precision = precision_of(path)
            log(f"writing {path.name}")
            made = aside / path.name
            convert(source, made, precision, GraphInputs(images, metadata))
            own = replace(metadata, precision=precision)
            write_metadata(made, own)
            if precision == "int8" or is_cut:
                _set_limits(made, own, normal)
            move_graph(made, path)
    return list(paths)


def accepted(paths: Sequence[Path], metadata: ExportMetadata) -> list[Path]:
    """Return the images that a graph accepts.

    Raises:
        ZooError: There is none.
    """
    if (resize := metadata.resize) is None:
        return list(paths)
    images = [path for path in paths if resize.fits(image_size(path))]
    if not images:
        height, width = resize.size
        raise ZooError(
            f"no image of the run is {width}x{height} px to the model, which keeps their aspect: "
            "give the --input-size that they have there, or leave it out"
        )
    return images


@dataclass(frozen=True)
class GraphInputs(Sequence[np.ndarray]):
    """Images as a graph takes them, float32 (1, 3, h, w), read anew at every pass.

    Attributes:
        paths: The images; of one that is cut it is the tile in the middle.
        metadata: Of the graph.
    """

    paths: Sequence[Path]
    metadata: ExportMetadata

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        """Return one as an array."""
        if not 0 <= index < len(self.paths):
            raise IndexError(index)
        pixels = read_image(self.paths[index], self.metadata.calibration.bit_depth)
        image = at_graph_size(pixels, self.metadata)
        if self.metadata.tiling is not None:
            size = image.shape[0], image.shape[1]
            grid = Layout(**self.metadata.tiling["layout"]).grid(size)
            tiles = cut(image.transpose(2, 0, 1), grid)  # (n, 3, t, t)
            image = tiles[len(tiles) // 2].transpose(1, 2, 0)
        return as_input(image)


def _set_limits(made: Path, metadata: ExportMetadata, normal: NormalImages) -> None:
    """Write limits into a graph that the run's rule derives from the graph's own maps."""
    old = metadata.calibration
    predictor = GraphPredictor(made, threads=torch.get_num_threads())
    predictor.calibration = replace(NO_THRESHOLD, bit_depth=old.bit_depth)
    rule = rule_of(old)
    source = source_of(normal.folder, normal.normal, "given normal images")
    with maps_of(predictor, normal.for_limits, rule.needs) as scenes:
        _, new = recalibrate(rule, scenes, source, old, old.bit_depth)
    write_metadata(made, replace(metadata, calibration=new.calibration))


def graph_input_size(
    predictor: TorchPredictor, normal: NormalImages, given: tuple[int, int] | None, log: Log
) -> tuple[tuple[int, int] | None, bool]:
    """Return the size of the input, and whether the run's images are cut into tiles of it."""
    if given is not None or not input_sizes(predictor.model, [(64, 64)]):
        return given, False
    try:
        paths = [*normal.for_limits, *normal.learned()]
    except ZooError as error:
        raise ZooError(f"{error}; or give --input-size, images keep their aspect here") from error
    sizes = input_sizes(predictor.model, map(image_size, paths))
    if len(sizes) == 1:
        return sizes.pop(), False
    side = min(map(min, sizes))
    log(
        f"a graph has one input size, and the run's images have {len(sizes)} there: they go "
        f"through it in tiles of {side}x{side}, and limits are set anew"
    )
    return (side, side), True


def _made_from(folder: Path, size: tuple[int, int] | None, given: Sequence[Path] | None) -> str:
    """Return 16 hex digits of what decides a run's graphs."""
    names = [str(path.resolve()) for path in given] if given is not None else None
    calibration = read_calibration(folder, CALIBRATION)
    facts = (__version__, file_sha256(folder / MODEL), calibration, size, names)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _is_made_from(path: Path, made_from: str) -> bool:
    try:
        return read_metadata(path).made_from == made_from
    except ZooError:  # none, or one that cannot be read
        return False
