"""The same graph in another number format: weights in half precision, or int8 by NNCF.

fp16 keeps weights in half the space; they are widened before anything is computed, so that maps
hardly change. int8 computes the network itself in 8-bit integers, in ranges that normal images
show. Its first layers stay in float32, and so does what compares features (distances to a memory
bank, cosines, the blur of the map): the difference of numbers that are nearly equal, of which 8
bits would leave nothing. See `zoo.export.scope`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from zoo.export.scope import full_precision_onnx, full_precision_openvino, has_attention
from zoo.predict.graph_files import ONNX, require
from zoo.utils.errors import ZooError, one_line

PRECISIONS = ("fp32", "fp16", "int8")
# What a model is called in the folder of its run, without suffix.
FILE_NAMES = {"fp32": "model", "fp16": "model-fp16", "int8": "model-int8"}
MOST_IMAGES = 300  # that set the ranges of int8; NNCF's own default
_SMALLEST = 64  # weights with fewer numbers are not worth a conversion
_HALF_MAX = float(np.finfo(np.float16).max)
_MOST_BYTES = 1_900_000_000  # of a protobuf file


def convert(
    source: Path, target: Path, precision: str, images: Sequence[np.ndarray] | None = None
) -> None:
    """Write an ONNX graph in another precision, as ONNX or as OpenVINO.

    Args:
        source: The graph as torch wrote it, float32.
        target: What to write, `.onnx` or `.xml`.
        precision: One of `PRECISIONS`.
        images: For int8: normal images as the graph takes them, float32 (n, 3, h, w) each. They
            are read several times.

    Raises:
        ZooError: A package is not installed, or the graph cannot be quantised.
    """
    if target.suffix == ONNX:
        _convert_onnx(source, target, precision, images)
    else:
        _convert_openvino(source, target, precision, images)


def _convert_onnx(
    source: Path, target: Path, precision: str, images: Sequence[np.ndarray] | None
) -> None:
    onnx = require("onnx")
    graph = onnx.load(source)
    if precision == "fp16":
        _halve(graph, onnx)
    elif precision == "int8":
        [entry] = graph.graph.input
        graph = _quantised(
            graph,
            [{entry.name: each} for each in images or ()],
            full_precision_onnx(graph.graph),
            has_attention(node.op_type for node in graph.graph.node),
            # Left alone, inputs of depthwise convolutions get a zero point for every channel,
            # which ONNX Runtime's QLinearConv refuses.
            one_range=True,
        )
    is_large = graph.ByteSize() > _MOST_BYTES
    onnx.save(graph, target, save_as_external_data=is_large, location=f"{target.name}.data")


def _convert_openvino(
    source: Path, target: Path, precision: str, images: Sequence[np.ndarray] | None
) -> None:
    openvino = require("openvino")
    graph = openvino.convert_model(source)
    if precision == "int8":
        graph = _quantised(
            graph,
            list(images or ()),
            full_precision_openvino(graph),
            has_attention(op.get_type_name() for op in graph.get_ops()),
        )
    openvino.save_model(graph, target, compress_to_fp16=precision == "fp16")


def _quantised(
    graph: Any,
    inputs: Sequence[Any],
    full_precision: Sequence[str],
    attention: bool,
    one_range: bool = False,
) -> Any:
    """Return a graph whose network computes in int8, by NNCF's post-training quantisation.

    Args:
        graph: Of ONNX or OpenVINO.
        inputs: What shows the ranges of values.
        full_precision: Nodes that stay in float32.
        attention: Whether the network is a transformer.
        one_range: Every tensor between layers has one range, not one for each channel.
    """
    if not inputs:
        raise ZooError("int8 needs normal images: its ranges are what they show")
    nncf = require("nncf")
    from nncf.quantization.advanced_parameters import QuantizationParameters

    nncf.set_log_level("ERROR")
    ranges = QuantizationParameters(per_channel=False) if one_range else None
    try:
        with redirect_stdout(sys.stderr):  # its progress bars
            return nncf.quantize(
                graph,
                nncf.Dataset(inputs),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER if attention else None,
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(names=list(full_precision), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_quantization_params=ranges
                ),
            )
    except Exception as error:  # whatever a library meets in a graph that it does not know
        raise ZooError(f"NNCF cannot quantise this graph ({one_line(error, 120)})") from error


def _halve(graph: Any, onnx: Any) -> None:
    """Keep large float32 weights of an ONNX graph in half precision, widened where they are used.

    Runtimes widen them once, when they load the graph.
    """
    kept, casts = [], []
    for weight in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        is_float = values.dtype == np.float32 and values.size >= _SMALLEST
        if not is_float or np.abs(values).max() > _HALF_MAX:
            kept.append(weight)
            continue
        half = f"{weight.name}_half"
        kept.append(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        to = onnx.TensorProto.FLOAT
        casts.append(onnx.helper.make_node("Cast", [half], [weight.name], to=to))
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*casts, *nodes])


def as_inputs(images: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Yield images, uint8 (h, w, 3), as a graph takes them, float32 (1, 3, h, w) in [0, 1]."""
    for image in images:
        yield np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
