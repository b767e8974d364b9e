"""Metadata inside the files of exported graphs: `metadata_props` of ONNX, `rt_info` of OpenVINO.

Written after the graph, so that whatever made or compressed it need not know of it, and so that
new thresholds can be put into a graph that stands. No torch is needed.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from zoo.predict.intact import check_intact, sign, weights_of
from zoo.predict.metadata import KEY, UNSIGNED, ExportMetadata
from zoo.predict.openvino_core import openvino_core
from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError, one_line

ONNX, OPENVINO = ".onnx", ".xml"


def write_metadata(path: str | Path, metadata: ExportMetadata) -> None:
    """Put metadata into an exported graph, in the place of what it had.

    Args:
        path: A graph, `.onnx` or `.xml`; weights beside it are left as they are.
        metadata: What to write.

    Raises:
        ZooError: No such graph, another kind of file, or its package is not installed.
    """
    path = checked(path)
    metadata = replace(metadata, sha256=UNSIGNED, weights=None)
    try:
        _write_onnx(path, metadata) if path.suffix == ONNX else _write_openvino(path, metadata)
    except ZooError:
        raise
    except Exception as error:  # a foreign file may fail in any way
        raise _unreadable(path, error) from error


def read_metadata(path: str | Path) -> ExportMetadata:
    """Return the metadata of an exported graph.

    Args:
        path: A graph, `.onnx` or `.xml`.

    Raises:
        ZooError: No such graph, a damaged one, one without metadata, or its package is not
            installed.
    """
    path = checked(path)
    try:
        text = _read_onnx(path) if path.suffix == ONNX else _read_openvino(path)
    except ZooError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    return parse_metadata(text, path)


def parse_metadata(text: str | None, path: Path) -> ExportMetadata:
    """Return the metadata of a text found in a graph; None is a graph that has none.

    Raises:
        ZooError: There is none, or it is damaged, or the graph or its weights are.
    """
    if text is None:
        raise ZooError(f"{path} carries no calibration: export the run again with `zoo export`")
    metadata = ExportMetadata.from_text(text, str(path))
    check_intact(path, metadata)
    return metadata


def checked(path: str | Path) -> Path:
    """Return the path of a graph.

    Raises:
        ZooError: There is no file, or one of another kind, or its weights are missing.
    """
    path = Path(path).expanduser()
    if path.suffix not in (ONNX, OPENVINO):
        raise ZooError(f"{path} is no exported graph: give a {ONNX} or {OPENVINO} file")
    if not path.is_file():
        raise ZooError(f"no exported graph at {path}: the file does not exist")
    weights_of(path)
    return path


def runtime(package: str) -> ModuleType:
    """Import a package of the extra `export`, or say how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ZooError(
            f"{package} is not installed: pip install 'anomalib-zoo[export]' ({one_line(error)})"
        ) from error


def _write_onnx(path: Path, metadata: ExportMetadata) -> None:
    onnx = runtime("onnx")
    graph = onnx.load(path, load_external_data=False)
    kept = {entry.key: entry.value for entry in graph.metadata_props}
    located = [each for part in graph.graph.initializer for each in part.external_data]
    names = {entry.value for entry in located if entry.key == "location"}
    metadata = replace(metadata, weights=min(names, default=None))
    onnx.helper.set_model_props(graph, {**kept, KEY: metadata.to_text()})
    with atomic_path(path) as aside:
        onnx.save(graph, aside)
        sign(aside, metadata)


def _read_onnx(path: Path) -> str | None:
    graph = runtime("onnx").load(path, load_external_data=False)
    return next((entry.value for entry in graph.metadata_props if entry.key == KEY), None)


def _write_openvino(path: Path, metadata: ExportMetadata) -> None:
    openvino = runtime("openvino")
    core = openvino_core()
    core.set_property({"ENABLE_MMAP": False})  # its weights are about to be replaced
    graph = core.read_model(path)
    graph.set_rt_info(metadata.to_text(), [KEY])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        aside = Path(folder, path.name)
        # Weights keep the precision that they have.
        openvino.save_model(graph, aside, compress_to_fp16=False)
        sign(aside, metadata)
        for new in (aside.with_suffix(".bin"), aside):
            new.replace(path.with_name(new.name))


def _read_openvino(path: Path) -> str | None:
    runtime("openvino")
    graph = openvino_core().read_model(path)
    return str(graph.get_rt_info([KEY]).value) if graph.has_rt_info([KEY]) else None


def _unreadable(path: Path, error: Exception) -> ZooError:
    return ZooError(f"graph {path} cannot be read ({one_line(error, 120)}): export it again")
