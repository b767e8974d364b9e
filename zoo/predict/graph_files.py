"""Metadata inside the files of exported graphs: `metadata_props` of ONNX, `rt_info` of OpenVINO.

It holds the SHA-256 of the graph and its weights, computed with zeros in its own place.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.predict.metadata import KEY, REPAIR, UNSIGNED, ExportMetadata
from zoo.predict.openvino_core import openvino_core
from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError, one_line

ONNX, OPENVINO = ".onnx", ".xml"
_BLOCK = 1 << 20
# As JSON has it in ONNX, and with the quotes that XML wants.
_DIGEST = re.compile(rb"sha256(?:\"|&quot;): (?:\"|&quot;)([0-9a-f]{64})")


def read_metadata(path: str | Path) -> ExportMetadata:
    """Return the metadata of an exported graph.

    Args:
        path: A graph, `.onnx` or `.xml`.

    Raises:
        ZooError: No such graph, a damaged one, one without metadata, or its package is not
            installed.
    """
    path = check_graph(path)
    with unreadable_as_error(path):
        if path.suffix == ONNX:
            model = require("onnx").load(path)
            text = {entry.key: entry.value for entry in model.metadata_props}.get(KEY)
        else:
            require("openvino")
            text = metadata_text(openvino_core().read_model(path))
    return parse_metadata(text, path)


def write_metadata(path: str | Path, metadata: ExportMetadata) -> None:
    """Write metadata into an exported graph, in place of what it had.

    Args:
        path: A graph, `.onnx` or `.xml`; weights beside it are left as they are.
        metadata: What to write.

    Raises:
        ZooError: No such graph, another kind of file, or its package is not installed.
    """
    path = check_graph(path)
    metadata = replace(metadata, sha256=UNSIGNED)
    with unreadable_as_error(path):
        if path.suffix == ONNX:
            _write_onnx(path, metadata)
        else:
            _write_openvino(path, metadata)


def parse_metadata(text: str | None, path: Path) -> ExportMetadata:
    """Return the metadata of a graph by the text that it holds, or None.

    Raises:
        ZooError: There is no text, or the metadata, the graph or its weights are damaged.
    """
    if text is None:
        raise ZooError(f"{path} carries no calibration: export the run again with `zoo export`")
    metadata = ExportMetadata.from_text(text, str(path))
    weights = _weights_of(path)
    data = path.read_bytes()
    place = _digest_place(data)
    if place is None or _digest(data, place, weights) != metadata.sha256:
        beside = f" or {weights.name}" if weights else ""
        raise ZooError(f"{path}{beside} is damaged, the SHA-256 is another one: {REPAIR}")
    return metadata


def metadata_text(model: Any) -> str | None:
    """Return the text of the metadata in an `openvino.Model`, or None."""
    return str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None


def check_graph(path: str | Path) -> Path:
    """Return the path of a graph.

    Raises:
        ZooError: There is no file, or one of another kind, or its weights are missing.
    """
    path = Path(path).expanduser()
    if path.suffix not in (ONNX, OPENVINO):
        raise ZooError(f"{path} is no exported graph: give a {ONNX} or {OPENVINO} file")
    if not path.is_file():
        raise ZooError(f"no exported graph at {path}: the file does not exist")
    _weights_of(path)
    return path


def require(package: str) -> ModuleType:
    """Import a package of the extra `export`.

    Raises:
        ZooError: It is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ZooError(
            f"{package} is not installed: pip install 'anomalib-zoo[export]' ({one_line(error)})"
        ) from error


@contextmanager
def unreadable_as_error(path: Path) -> Iterator[None]:
    """Turn whatever a library raises about a foreign or damaged graph into a `ZooError`."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(
            f"graph {path} cannot be read ({one_line(error, 300)}): export it again"
        ) from error


def _write_onnx(path: Path, metadata: ExportMetadata) -> None:
    onnx = require("onnx")
    model = onnx.load(path)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**entries, KEY: metadata.to_text()})
    with atomic_path(path) as aside:
        onnx.save(model, aside)
        _sign(aside)


def _write_openvino(path: Path, metadata: ExportMetadata) -> None:
    openvino = require("openvino")
    core = openvino_core()
    core.set_property({"ENABLE_MMAP": False})  # its weights are about to be replaced
    model = core.read_model(path)
    model.set_rt_info(metadata.to_text(), [KEY])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        aside = Path(folder, path.name)
        # Weights keep the precision that they have.
        openvino.save_model(model, aside, compress_to_fp16=False)
        _sign(aside)
        for new in (aside.with_suffix(".bin"), aside):
            new.replace(path.with_name(new.name))


def _sign(path: Path) -> None:
    """Write the digest into a graph whose metadata was just written, unsigned."""
    data = bytearray(path.read_bytes())
    place = _digest_place(data)
    assert place is not None
    data[place] = _digest(data, place, _weights_of(path)).encode()
    path.write_bytes(data)


def _weights_of(path: Path) -> Path | None:
    """Return the file of weights beside an OpenVINO graph; raise where it is missing."""
    if path.suffix != OPENVINO:
        return None
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise ZooError(f"{weights} is missing, the weights of {path.name}: copy both files")
    return weights


def _digest_place(data: bytes | bytearray) -> slice | None:
    """Return where the digest stands; metadata comes last in both formats."""
    field = _DIGEST.match(data, data.rfind(b"sha256"))
    return slice(*field.span(1)) if field else None


def _digest(data: bytes | bytearray, place: slice, weights: Path | None) -> str:
    digest = hashlib.sha256(memoryview(data)[: place.start])
    digest.update(UNSIGNED.encode())
    digest.update(memoryview(data)[place.stop :])
    if weights is not None:
        with weights.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
