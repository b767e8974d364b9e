"""Where int8 ends: behind the last features, whatever made them and whatever compares them."""

from __future__ import annotations

from zoo.export.scope import (
    Operation,
    comparison,
    first_layers,
    full_precision,
    has_attention,
    preparation,
)


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


def test_cheap_layers_near_the_image_stay_in_full_precision_on_every_branch():
    graph = [
        op("stem", "Conv", "depthwise", weights=(8, 3, 3, 3)),
        op("other stem", "Conv", "other heavy", weights=(8, 3, 3, 3)),
        op("depthwise", "Conv", "relu", weights=(8, 1, 3, 3)),
        op("other heavy", "Conv", "join", weights=(512, 8, 3, 3)),
        op("relu", "Relu", "third"),
        op("third", "Conv", "fourth", weights=(8, 8, 1, 1)),
        op("fourth", "Conv", "fifth", weights=(8, 8, 1, 1)),
        op("fifth", "Conv", "join", weights=(8, 8, 1, 1)),
        op("join", "Concat", "distance"),
        op("distance", "ReduceSum"),
    ]
    assert first_layers(graph) == ["stem", "other stem", "depthwise", "third", "fourth"]
    stays = full_precision(graph)
    assert not {"other heavy", "relu", "fifth"} & set(stays)
    assert {"stem", "other stem", "join", "distance"} < set(stays)


def test_what_is_done_to_the_image_first_stays_in_full_precision():
    graph = [
        op("image", "Parameter", "mean", "centred"),
        op("mean", "ReduceMean", "centred"),
        op("centred", "Subtract", "heavy"),
        op("heavy", "Convolution", "relu", weights=(64, 3, 3, 3)),
        op("relu", "Relu", "last"),
        op("last", "Convolution", "square", weights=(64, 64, 3, 3)),
        op("square", "Power"),
    ]
    assert preparation(graph) == ["image", "mean", "centred"]
    assert full_precision(graph) == ["image", "mean", "centred", "square"]


def test_products_of_features_stay_in_full_precision():
    graph = [
        op("query", "MatMul", "attend", weights=(64, 64)),
        op("key", "MatMul", "attend", weights=(64, 64)),
        op("attend", "MatMul", "softmax"),
        op("softmax", "Softmax", "mix"),
        op("mix", "MatMul", "project"),
        op("project", "MatMul", "cosine", weights=(64, 64)),
        op("cosine", "ReduceSum"),
    ]
    assert full_precision(graph) == ["attend", "mix", "cosine"]
