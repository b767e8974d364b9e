"""ONNX Runtime and OpenVINO behind one interface: a batch of images in, named arrays out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.predict.graph_files import (
    ONNX,
    metadata_text,
    parse_metadata,
    require,
    unreadable_as_error,
)
from zoo.predict.metadata import KEY, ExportMetadata
from zoo.predict.openvino_core import SETTINGS, Requests, openvino_core
from zoo.utils.errors import ZooError

# Of OpenVINO's operations that are compiled for one size of image; it would keep 5000, at some
# 50 KB each. A network has 50 to 200 of them: images of a few sizes find theirs again.
_CACHED_PRIMITIVES = 200


@dataclass(frozen=True)
class Graph:
    """An exported graph, loaded and ready to run; threads may share it.

    Attributes:
        run: From images, float32 (B, 3, h, w), to the outputs by name.
        shape: Of the input, (B, 3, h, w); None where any number will do.
        metadata: What the file carries along.
        process: That it was loaded in.
    """

    run: Callable[[np.ndarray], dict[str, np.ndarray]]
    shape: tuple[int | None, ...]
    metadata: ExportMetadata
    process: int = field(default_factory=os.getpid)

    def check_process(self) -> None:
        """Raise a `ZooError` in a forked process: the threads of the runtime stayed behind."""
        if os.getpid() != self.process:
            raise ZooError(
                "this process was forked after the graph was loaded, and would wait for threads "
                "that it does not have: load the graph in each process, or start processes with "
                "multiprocessing.get_context('spawn')"
            )


def load_graph(path: Path, device: str = "CPU", threads: int = 0) -> Graph:
    """Load a graph into the runtime of its format.

    Args:
        path: A graph, `.onnx` or `.xml`.
        device: Of OpenVINO, such as CPU or GPU; ONNX Runtime uses the CPU.
        threads: How many to compute with; 0 leaves it to the runtime.

    Raises:
        ZooError: The runtime is not installed, or cannot read the file.
    """
    with unreadable_as_error(path):
        if path.suffix == ONNX:
            return _load_onnx(path, threads)
        return _load_openvino(path, device, threads)


def _load_onnx(path: Path, threads: int) -> Graph:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads shall sleep: spinning ones starve whatever shares the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def create_session() -> Any:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    session = create_session()
    [entry] = session.get_inputs()
    shape = tuple(side if isinstance(side, int) else None for side in entry.shape)
    if None in shape[2:]:
        # What it plans and keeps for one size of image, it would plan and keep for every size.
        options.enable_mem_pattern = options.enable_cpu_mem_arena = False
        session = create_session()
    names = [output.name for output in session.get_outputs()]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {entry.name: images}), strict=True))

    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return Graph(run, shape, parse_metadata(text, path))


def _load_openvino(path: Path, device: str, threads: int) -> Graph:
    require("openvino")
    core = openvino_core()
    model = core.read_model(path)
    metadata = parse_metadata(metadata_text(model), path)
    sides = model.input(0).get_partial_shape()
    shape = tuple(side.get_length() if side.is_static else None for side in sides)
    settings: dict[str, Any] = dict(SETTINGS)
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    if device == "CPU" and None in shape[2:]:
        settings["CPU_RUNTIME_CACHE_CAPACITY"] = _CACHED_PRIMITIVES
    compiled = core.compile_model(model, device, settings)
    requests = Requests(compiled)
    names = [output.get_any_name() for output in compiled.outputs]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, requests(images), strict=True))

    return Graph(run, shape, metadata)
