"""Graphs in half precision and in int8, made from a network of two convolutions and a bank."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.export.precision import as_input, convert
from zoo.predict import graph_files
from zoo.predict.openvino_core import openvino_core
from zoo.utils.errors import ZooError

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
openvino = pytest.importorskip("openvino", reason="the extra `export` is not installed")
SUFFIXES = [".onnx", ".xml"]
RANDOM = np.random.default_rng(0)
IMAGES = [RANDOM.random((1, 3, 16, 16), dtype=np.float32) for _ in range(4)]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a graph: convolution, ReLU, convolution, product with a bank, largest of it."""
    weights = {
        "w1": RANDOM.normal(0, 0.3, (16, 3, 3, 3)),
        "w2": RANDOM.normal(0, 0.1, (32, 16, 3, 3)),
        "bank": RANDOM.normal(0, 1, (32, 50)),
        "huge": np.full(100, 1e6),
    }
    weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    weights["shape"] = np.array([0, -1, 32])
    nodes = [
        ("Conv", ["input", "w1"], "f1"),
        ("Relu", ["f1"], "f2"),
        ("Conv", ["f2", "w2"], "f3"),
        ("Transpose", ["f3"], "f4", {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["f4", "shape"], "queries"),
        ("MatMul", ["queries", "bank"], "product"),
        ("ReduceMax", ["product"], "nearest", {"axes": [2], "keepdims": 0}),
        ("ReduceMax", ["nearest"], "pred_score", {"axes": [1], "keepdims": 0}),
        ("ReduceMax", ["huge"], "largest", {"keepdims": 0}),
        ("Div", ["nearest", "largest"], "anomaly_map"),
    ]
    made = [
        onnx.helper.make_node(kind, inputs, [output], name=output, **(rest[0] if rest else {}))
        for kind, inputs, output, *rest in nodes
    ]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        made,
        "tiny",
        [info("input", 1, ["batch", 3, 16, 16])],
        [info("anomaly_map", 1, None), info("pred_score", 1, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    path = tmp_path_factory.mktemp("precision") / "source.onnx"
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def scores(path, image):
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["anomaly_map"], {"input": image})[0] * 1e6
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino_core().compile_model(path, "CPU", settings)(image)["anomaly_map"] * 1e6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_precision_is_a_smaller_file_that_says_nearly_the_same(source, tmp_path, suffix):
    paths = {each: tmp_path / f"{each}{suffix}" for each in ("fp32", "fp16")}
    for precision, path in paths.items():
        convert(source, path, precision)
    image = IMAGES[0]
    exact, half = (scores(path, image) for path in paths.values())
    np.testing.assert_allclose(exact, scores(source, image), rtol=1e-4)
    np.testing.assert_allclose(half, exact, rtol=0.01)
    assert np.abs(half - exact).max() > 0
    heavy = ".bin" if suffix == ".xml" else suffix
    sizes = [path.with_suffix(heavy).stat().st_size for path in paths.values()]
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_int8_computes_features_in_8_bits_and_the_bank_in_full(source, tmp_path, suffix, capsys):
    pytest.importorskip("nncf", reason="the extra `export` is not installed")
    path = tmp_path / f"int8{suffix}"
    convert(source, path, "int8", IMAGES)
    assert not capsys.readouterr().out  # standard output is for results
    image = IMAGES[1]
    exact, found = scores(source, image), scores(path, image)
    assert 0 < np.abs(found - exact).max() < 0.1 * exact.max()
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.99
    if suffix == ".onnx":
        graph = onnx.load(path).graph
        made = {output: node.op_type for node in graph.node for output in node.output}
        weights = {n.name: made.get(n.input[1], "plain") for n in graph.node if len(n.input) > 1}
    else:
        graph = openvino_core().read_model(path)
        made = {op.get_friendly_name(): op for op in graph.get_ops()}
        weights = {
            name: op.input_value(1).get_node().get_type_name()
            for name, op in made.items()
            if op.get_input_size() > 1
        }
    quantised = {"DequantizeLinear", "FakeQuantize", "Multiply"}
    assert {weights["f1"], weights["f3"]} <= quantised
    assert weights["product"] not in quantised


def test_int8_without_images_or_package_is_one_line(source, tmp_path, monkeypatch):
    with pytest.raises(ZooError, match="int8 needs normal images"):
        convert(source, tmp_path / "m.onnx", "int8", [])

    real = graph_files.import_module

    def without(name):
        if name == "nncf":
            raise ImportError("No module named 'nncf'")
        return real(name)

    monkeypatch.setattr(graph_files, "import_module", without)
    with pytest.raises(ZooError, match=r"nncf is not installed: pip .*zoo\[export\]"):
        convert(source, tmp_path / "m.onnx", "int8", IMAGES)
    assert not list(tmp_path.iterdir())


def test_images_become_inputs():
    found = as_input(np.full((4, 6, 3), 51, np.uint8))
    assert (found.shape, found.dtype) == ((1, 3, 4, 6), np.float32)
    assert np.allclose(found, 0.2)
