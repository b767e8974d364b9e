"""What int8 must leave alone in a graph: both ends of it, its first layers, and attention.

Layers are convolutions and products with constant weights; their outputs are features. Names of
layers do not matter. Four parts stay in float32:

* what is done to the image before the first layer, such as bringing it to one contrast;
* the comparison, which is whatever no layer follows: differences of numbers that are nearly equal,
  of which 8 bits would leave nothing. Some layers belong to it: the product with a memory bank,
  whose result goes into a maximum, and the resize and blur of a map, which are a convolution of one
  channel or a product with a constant matrix on either side;
* layers near the image that have few weights: their channels' ranges are so far apart that most of
  the error of int8 comes from them;
* products of features with features, as in attention, which OpenVINO's plugin for CPUs computes
  wrongly in int8, or refuses.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ATTENTION = {"Softmax", "ScaledDotProductAttention"}
_PRODUCTS = {"MatMul", "ScaledDotProductAttention"}
_NEAR = 4  # the image: with fewer layers before it
_FEW_WEIGHTS = 0.01  # of all


@dataclass(frozen=True)
class Operation:
    """One operation of a graph, whatever the format.

    Attributes:
        name: Its name.
        kind: Its type, as ONNX and OpenVINO call it.
        weights: Shape of its constant second input, if it has one.
        from_left: Whether its first input is constant: a matrix that is applied to columns.
        readers: Names of the operations that read its output.
    """

    name: str
    kind: str
    weights: tuple[int, ...] | None
    from_left: bool
    readers: tuple[str, ...]

    @property
    def n_weights(self) -> int:
        """The number of its weights."""
        return 0 if self.weights is None else math.prod(self.weights)


def full_precision(operations: Sequence[Operation]) -> list[str]:
    """Return the names of the operations that stay in float32.

    Args:
        operations: All of a graph, each after those whose output it reads.
    """
    stays = {*preparation(operations), *first_layers(operations), *comparison(operations)}
    stays |= {
        each.name
        for each in operations
        if each.kind in _PRODUCTS and each.weights is None and not each.from_left
    }
    return [each.name for each in operations if each.name in stays]


def preparation(operations: Sequence[Operation]) -> list[str]:
    """Return the names of the operations ahead of the first layers."""
    layers, before = _layers(operations), _layers_before(operations)
    return [each.name for each in operations if each.name not in layers and not before[each.name]]


def first_layers(operations: Sequence[Operation]) -> list[str]:
    """Return the names of the layers near the image that have hardly any of the weights."""
    layers, before = _layers(operations), _layers_before(operations)
    near = [each for each in operations if each.name in layers and before[each.name] < _NEAR]
    total = sum(each.n_weights for each in operations if each.name in layers)
    return [each.name for each in near if each.n_weights <= _FEW_WEIGHTS * total]


def comparison(operations: Sequence[Operation]) -> list[str]:
    """Return the names of the operations after the last features."""
    features = _layers(operations)
    leads_on: dict[str, bool] = {}  # whether features are still computed from its output
    for each in reversed(operations):
        leads_on[each.name] = any(leads_on[name] or name in features for name in each.readers)
    return [
        each.name for each in operations if not leads_on[each.name] and each.name not in features
    ]


def has_attention(kinds: Iterable[str]) -> bool:
    """Whether operations of these types are those of a transformer."""
    return not _ATTENTION.isdisjoint(kinds)


def full_precision_openvino(graph: Any) -> list[str]:
    """Return the names of the operations of an OpenVINO model that int8 must leave alone."""
    found = []
    for op in graph.get_ordered_ops():
        readers = {
            target.get_node().get_friendly_name()
            for output in op.outputs()
            for target in output.get_target_inputs()
        }
        weights, from_left = None, False
        if op.get_input_size() > 1:
            from_left = _is_constant(op.input_value(0).get_node())
            if _is_constant(op.input_value(1).get_node()):
                weights = tuple(op.input_value(1).get_shape())
        kind, name = op.get_type_name(), op.get_friendly_name()
        from_left = from_left and kind == "MatMul"
        found.append(Operation(name, kind, weights, from_left, tuple(sorted(readers))))
    return full_precision(found)


def full_precision_onnx(graph: Any) -> list[str]:
    """Return the names of the nodes of an ONNX graph that int8 must leave alone."""
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    readers: Mapping[str, list[str]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node.name)
    found = []
    for node in graph.node:
        used = {name for output in node.output for name in readers[output]}
        weights = shapes.get(node.input[1]) if len(node.input) > 1 else None
        from_left = node.op_type == "MatMul" and node.input[0] in shapes
        found.append(Operation(node.name, node.op_type, weights, from_left, tuple(sorted(used))))
    return full_precision(found)


def _layers_before(operations: Sequence[Operation]) -> Mapping[str, int]:
    """Return the most layers on a way to each operation."""
    layers = _layers(operations)
    before: dict[str, int] = defaultdict(int)
    for each in operations:
        for name in each.readers:
            before[name] = max(before[name], before[each.name] + (each.name in layers))
    return before


def _layers(operations: Sequence[Operation]) -> set[str]:
    """Return the names of the operations that make features."""
    by_name = {each.name: each for each in operations}
    maps = {name for each in operations if each.from_left for name in each.readers}
    return {
        each.name for each in operations if each.name not in maps and _makes_features(each, by_name)
    }


def _makes_features(operation: Operation, by_name: Mapping[str, Operation]) -> bool:
    if operation.weights is None:
        return False
    if operation.kind in ("Conv", "Convolution"):
        return operation.weights[0] > 1
    if operation.kind == "GroupConvolution":  # (groups, out, in, h, w)
        return operation.weights[0] * operation.weights[1] > 1
    is_product = operation.kind in ("MatMul", "Gemm")
    return is_product and not _goes_into_maximum(operation, by_name)


def _goes_into_maximum(operation: Operation, by_name: Mapping[str, Operation]) -> bool:
    """Whether a product is one with a memory bank: a maximum follows, or a sum and a maximum."""
    after = [by_name[name] for name in operation.readers]
    after += [by_name[name] for each in after if each.kind == "Add" for name in each.readers]
    return any(each.kind in ("ReduceMax", "TopK", "ArgMax") for each in after)


def _is_constant(node: Any) -> bool:
    """Whether a node is a constant, or one that was converted or reshaped."""
    while node.get_type_name() in ("Convert", "Reshape", "Transpose", "Unsqueeze"):
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant"
