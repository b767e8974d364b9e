"""Graphs of a run: traced once, written in every wanted format and precision, limits set anew.

The maps of a graph in int8 are not those of the run, and so its limits are not either: the run's
own rule derives them from the graph's maps of normal pictures, by the code of `zoo calibrate`.
"""

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
    metadata_of,
    move_graph,
    traced,
    writing_aside,
)
from zoo.export.precision import FILE_NAMES, MOST_IMAGES, as_inputs, convert
from zoo.export.sizes import in_tiles, input_sizes
from zoo.postprocess.calibration import NO_THRESHOLD
from zoo.postprocess.rules.text import rule_of
from zoo.predict.graph import GraphPredictor, at_graph_size
from zoo.predict.graph_files import read_metadata, write_metadata
from zoo.predict.metadata import ExportMetadata
from zoo.predict.scenes import evenly
from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.calibrations import CalibrationSource, recalibrate, source_of
from zoo.runs.check import read_calibration
from zoo.runs.folder import CALIBRATION, MODEL
from zoo.runs.load import load_run, read_config
from zoo.runs.normal_images import datamodule_of, maps_of, normal_pictures
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256

Say = Callable[[str], None]


@dataclass(frozen=True)
class NormalPictures:
    """Where the normal pictures are that int8 needs.

    Attributes:
        folder: The run.
        root: Where its data set lies now; by default where it lay when the run was fitted.
        good: Pictures to take instead, which the run has not learned from.
    """

    folder: Path
    root: Path | None = None
    good: Sequence[Path] | None = None

    @cached_property
    def for_limits(self) -> list[Path]:
        """Pictures that may set thresholds."""
        given = list(self.good) if self.good is not None else None
        return normal_pictures(self.folder, self.config(), given)

    def for_ranges(self) -> list[Path]:
        """Return pictures that show what values features take: training images, or those given."""
        found = self.learned()
        return [found[index] for index in evenly(len(found), MOST_IMAGES)]

    def learned(self) -> list[Path]:
        """Return all training images, or those given."""
        given = self.for_limits  # says it if images are gone, changed or known to the run
        if self.good is not None:
            return given
        return [sample.image_path for sample in datamodule_of(self.config()).listed(TRAIN)]

    @property
    def source(self) -> CalibrationSource:
        """Where those that set thresholds come from, for the record."""
        return source_of(self.folder, self.good, "given good pictures")

    def config(self) -> dict[str, Any]:
        """Return the run's configuration, with the place where its data is now."""
        config = read_config(self.folder)
        if self.root is not None:
            data = config["data"]
            config["data"] = {**data, "init_args": {**data["init_args"], "root": str(self.root)}}
        return config


def graph_paths(out: Path, suffixes: Sequence[str], precisions: Sequence[str]) -> list[Path]:
    """Return the files of a run's graphs, format by format."""
    return [out / f"{FILE_NAMES[each]}{suffix}" for suffix in suffixes for each in precisions]


def precision_of(path: Path) -> str:
    """Return the precision that a file of `graph_paths` is for."""
    return next(each for each, name in FILE_NAMES.items() if name == path.stem)


def export_run(
    folder: Path,
    paths: Sequence[Path],
    pictures: NormalPictures,
    input_size: tuple[int, int] | None = None,
    reuse: bool = False,
    say: Say = lambda text: None,
) -> list[Path]:
    """Write a run's graphs.

    Args:
        folder: The run.
        paths: What to write, see `graph_paths`.
        pictures: Where the normal pictures are.
        input_size: (h, w) of the input, for a model that keeps the aspect of pictures: only those
            that have it then can be judged; by default that of the run's own.
        reuse: Leave graphs alone that were made from this very model and calibration.
        say: Receives what is being done.

    Returns:
        What was written now.

    Raises:
        ZooError: A package or pictures are missing, or the model takes no such size.
    """
    made_from = _made_from(folder, input_size, pictures.good)
    wanted = [path for path in paths if not (reuse and _is_made_from(path, made_from))]
    if not wanted:
        return []
    needs_ranges = any(precision_of(path) == "int8" for path in wanted)
    shown = pictures.for_ranges() if needs_ranges else []  # missing ones show before the rest
    detector = load_run(folder, device="cpu")
    size, is_cut = _input_size(detector, pictures, input_size, say)
    metadata = metadata_of(detector.model, detector.calibration, size)
    metadata = replace(metadata, made_from=made_from)
    if is_cut:
        metadata = in_tiles(metadata, detector.model)
    with after_resize(detector.model, size):
        pass  # a size that cannot be shows before anything is said
    if needs_ranges:
        shown = fitting(shown, metadata)
    with writing_aside(wanted[0].parent) as aside:
        say("tracing the model")
        source = traced(detector.model, aside / "traced", size)
        for path in wanted:
            precision = precision_of(path)
            say(f"writing {path.name}")
            made = aside / path.name
            convert(source, made, precision, Inputs(shown, metadata))
            whole = replace(metadata, precision=precision)
            write_metadata(made, whole)
            if precision == "int8" or is_cut:
                _set_limits(made, whole, pictures)
            move_graph(made, path)
    return wanted


def fitting(paths: Sequence[Path], metadata: ExportMetadata) -> list[Path]:
    """Return the pictures that a graph takes.

    Raises:
        ZooError: There is none.
    """
    resize = metadata.resize
    found = [path for path in paths if resize is None or resize.fits(image_size(path))]
    if not found:
        height, width = resize.size
        raise ZooError(
            f"no picture of the run is {width}x{height} px to the model, which keeps their aspect: "
            "give the --input-size that they have there, or leave it out"
        )
    return found


@dataclass(frozen=True)
class Inputs(Sequence):
    """Pictures as a graph takes them, read anew at every pass.

    Attributes:
        paths: The pictures.
        metadata: How they get to the size of the input.
    """

    paths: Sequence[Path]
    metadata: ExportMetadata

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return one as float32 (1, 3, h, w); of one that is cut the tile in the middle."""
        if not 0 <= index < len(self.paths):
            raise IndexError(index)
        bit_depth = self.metadata.calibration.bit_depth
        pixels = read_image(self.paths[index], bit_depth)
        image = at_graph_size(pixels, self.metadata)
        if self.metadata.tiling is not None:
            grid = Layout(**self.metadata.tiling["layout"]).grid(image.shape[:2])
            tiles = cut(image.transpose(2, 0, 1), grid)  # (n, 3, t, t)
            image = tiles[len(tiles) // 2].transpose(1, 2, 0)
        return next(iter(as_inputs([image])))


def _set_limits(made: Path, metadata: ExportMetadata, pictures: NormalPictures) -> None:
    """Put limits into a graph that the run's rule derives from the graph's own maps."""
    old = metadata.calibration
    judge = GraphPredictor(made, threads=torch.get_num_threads())
    judge.calibration = replace(NO_THRESHOLD, bit_depth=old.bit_depth)
    rule = rule_of(old)
    with maps_of(judge, pictures.for_limits, rule.needs) as scenes:
        _, new = recalibrate(rule, scenes, pictures.source, old, old.bit_depth)
    write_metadata(made, replace(metadata, calibration=new.calibration))


def _input_size(
    detector: TorchPredictor, pictures: NormalPictures, given: tuple[int, int] | None, say: Say
) -> tuple[tuple[int, int] | None, bool]:
    """Return the size of the input, and whether the run's pictures are cut into tiles of it."""
    if given is not None or not input_sizes(detector.model, [(64, 64)]):
        return given, False
    try:
        paths = [*pictures.for_limits, *pictures.learned()]
    except ZooError as error:
        raise ZooError(f"{error}; or give --input-size, pictures keep their aspect here") from error
    sizes = input_sizes(detector.model, map(image_size, paths))
    if len(sizes) == 1:
        return sizes.pop(), False
    side = min(map(min, sizes))
    say(
        f"a graph has one input size, and the run's pictures have {len(sizes)} there: they go "
        f"through it in tiles of {side}x{side}, and limits are set anew"
    )
    return (side, side), True


def _made_from(folder: Path, size: tuple[int, int] | None, good: Sequence[Path] | None) -> str:
    """Return 16 hex digits of what decides a run's graphs."""
    names = [str(path.resolve()) for path in good] if good is not None else None
    calibration = read_calibration(folder, CALIBRATION)
    facts = (__version__, file_sha256(folder / MODEL), calibration, size, names)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _is_made_from(path: Path, made_from: str) -> bool:
    try:
        return read_metadata(path).made_from == made_from
    except ZooError:  # none, or one that cannot be read
        return False
