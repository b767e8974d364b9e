"""Where int8 ends: behind the last features, whatever made them and whatever compares them."""

from __future__ import annotations

from zoo.export.scope import Operation, comparison, has_attention


def op(name, kind, *readers, weights=None, from_left=False):
    return Operation(name, kind, weights, from_left, readers)


def test_a_memory_bank_and_all_behind_it_is_comparison():
    graph = [
        op("conv1", "Convolution", "relu", weights=(8, 3, 3, 3)),
        op("relu", "Clamp", "conv2", "pool1"),
        op("pool1", "AvgPool", "join"),
        op("conv2", "GroupConvolution", "pool2", weights=(16, 1, 1, 3, 3)),
        op("pool2", "AvgPool", "join"),
        op("join", "Concat", "square", "product"),
        op("square", "Power", "distance"),
        op("product", "MatMul", "plus", weights=(100, 24)),
        op("plus", "Add", "nearest", weights=(100,)),
        op("nearest", "ReduceMax", "distance"),
        op("distance", "Subtract", "rows"),
        op("rows", "MatMul", "columns", from_left=True),
        op("columns", "MatMul", "blur", weights=(64, 8)),
        op("blur", "Convolution", weights=(1, 1, 33, 1)),
    ]
    names = [each.name for each in graph]
    features = {"conv1", "relu", "conv2"}
    assert comparison(graph) == [name for name in names if name not in features]


def test_layers_of_a_transformer_are_features():
    graph = [
        op("query", "MatMul", "attend", weights=(8, 8)),
        op("attend", "Softmax", "project"),
        op("project", "Gemm", "norm", weights=(8, 8)),
        op("norm", "ReduceMean", "cosine"),
        op("cosine", "ReduceSum"),
    ]
    assert comparison(graph) == ["norm", "cosine"]
    assert has_attention(each.kind for each in graph)
    assert not has_attention(["MatMul"])


def test_a_graph_without_features_is_all_comparison():
    graph = [op("a", "Add", "b"), op("b", "ReduceMax")]
    assert comparison(graph) == ["a", "b"]
