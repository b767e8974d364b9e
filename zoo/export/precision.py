"""The same graph in another number format: weights in half precision, or int8 by NNCF."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from zoo.export.scope import full_precision_onnx, full_precision_openvino, has_attention
from zoo.predict.graph_files import ONNX, require
from zoo.utils.errors import ZooError, one_line

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# What a model is called in the folder of its run, without suffix.
FILE_NAMES: dict[Precision, str] = {"fp32": "model", "fp16": "model-fp16", "int8": "model-int8"}
MOST_IMAGES = 300  # that set the ranges of int8; NNCF's own default
_SMALLEST = 64  # weights with fewer numbers are not worth a conversion
_HALF_MAX = float(np.finfo(np.float16).max)
_MOST_BYTES = 1_900_000_000  # of a protobuf file


def convert(
    source: Path, target: Path, precision: Precision, images: Sequence[np.ndarray] | None = None
) -> None:
    """Write an ONNX graph in another precision, as ONNX or as OpenVINO.

    Args:
        source: The graph as torch wrote it, float32.
        target: What to write, `.onnx` or `.xml`.
        precision: Of the target.
        images: For int8: normal images as the graph takes them, float32 (n, 3, h, w) each. They
            are read several times.

    Raises:
        ZooError: A package is not installed, or the graph cannot be quantised, or is too large.
    """
    if target.suffix != ONNX:
        openvino = require("openvino")
        model = openvino.convert_model(source)
        if precision == "int8":
            kinds = {op.get_type_name() for op in model.get_ops()}
            model = _quantised(model, list(images or ()), full_precision_openvino(model), kinds)
        openvino.save_model(model, target, compress_to_fp16=precision == "fp16")
        return
    onnx = require("onnx")
    model = onnx.load(source)
    if precision == "fp16":
        _halve(model, onnx)
    elif precision == "int8":
        [entry] = model.graph.input
        inputs = [{entry.name: image} for image in images or ()]
        kinds = {node.op_type for node in model.graph.node}
        # Left alone, inputs of depthwise convolutions get a zero point for every channel, which
        # ONNX Runtime's QLinearConv refuses.
        model = _quantised(model, inputs, full_precision_onnx(model.graph), kinds, one_range=True)
    if model.ByteSize() > _MOST_BYTES:
        raise ZooError("the graph is too large for one ONNX file: export it with --format openvino")
    onnx.save(model, target)


def _quantised(
    model: Any,
    inputs: Sequence[Any],
    full_precision: Sequence[str],
    kinds: set[str],
    one_range: bool = False,
) -> Any:
    """Return a model of ONNX or OpenVINO whose network computes in int8; `kinds` of operations."""
    if not inputs:
        raise ZooError("int8 needs normal images: its ranges are what they show")
    nncf = require("nncf")
    from nncf.quantization.advanced_parameters import QuantizationParameters

    nncf.set_log_level("ERROR")
    # Every tensor between layers has one range, or one for each channel.
    ranges = QuantizationParameters(per_channel=False) if one_range else None
    try:
        with redirect_stdout(sys.stderr):  # its progress bars
            return nncf.quantize(
                model,
                nncf.Dataset(inputs),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER if has_attention(kinds) else None,
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(names=list(full_precision), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_quantization_params=ranges
                ),
            )
    except Exception as error:  # whatever a library meets in a graph that it does not know
        raise ZooError(f"NNCF cannot quantise this graph ({one_line(error, 120)})") from error


def _halve(graph: Any, onnx: Any) -> None:
    """Keep large float32 weights in half precision; runtimes widen them once, when they load."""
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


def as_input(image: np.ndarray) -> np.ndarray:
    """Return an image, uint8 (h, w, 3), as a graph takes it, float32 (1, 3, h, w) in [0, 1]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
