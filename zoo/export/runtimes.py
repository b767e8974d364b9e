"""ONNX Runtime and OpenVINO behind one interface: a batch of images in, named arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError, one_line
from zoo.export.files import ONNX, parse_metadata, runtime
from zoo.export.metadata import KEY, ExportMetadata
from zoo.openvino_core import SETTINGS, openvino_core


@dataclass(frozen=True)
class Graph:
    """An exported graph, loaded and ready to run.

    Attributes:
        run: From images, float32 (B, 3, h, w), to the outputs by name.
        shape: Of the input, (B, 3, h, w); None where any number will do.
        metadata: What the file carries along.
    """

    run: Callable[[np.ndarray], dict[str, np.ndarray]]
    shape: tuple[int | None, ...]
    metadata: ExportMetadata


def load_graph(path: Path, device: str = "CPU", threads: int = 0) -> Graph:
    """Load a graph into the runtime of its format.

    Args:
        path: A graph, `.onnx` or `.xml`.
        device: Of OpenVINO, such as CPU or GPU; ONNX Runtime uses the CPU.
        threads: How many to compute with; 0 leaves it to the runtime.

    Raises:
        ZooError: The runtime is not installed, or cannot read the file.
    """
    load = _load_onnx if path.suffix == ONNX else _load_openvino
    try:
        return load(path, device, threads)
    except ZooError:
        raise
    except Exception as error:  # a foreign file may fail in any way
        raise ZooError(
            f"graph {path} cannot be loaded ({one_line(error, 300)}): export it again"
        ) from error


def _load_onnx(path: Path, device: str, threads: int) -> Graph:
    onnxruntime = runtime("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait shall sleep: spinning ones starve whatever shares the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    [entry] = session.get_inputs()
    names = [output.name for output in session.get_outputs()]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {entry.name: images}), strict=True))

    shape = tuple(side if isinstance(side, int) else None for side in entry.shape)
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return Graph(run, shape, parse_metadata(text, path))


def _load_openvino(path: Path, device: str, threads: int) -> Graph:
    runtime("openvino")
    core = openvino_core()
    graph = core.read_model(path)
    text = str(graph.get_rt_info([KEY]).value) if graph.has_rt_info([KEY]) else None
    settings: dict[str, Any] = dict(SETTINGS)
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(graph, device, settings)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        found = compiled(images)
        return {output.get_any_name(): found[output] for output in compiled.outputs}

    shape = graph.input(0).get_partial_shape()
    sides = tuple(side.get_length() if side.is_static else None for side in shape)
    return Graph(run, sides, parse_metadata(text, path))
