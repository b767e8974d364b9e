"""What graphs carry along: through both formats and back, and errors where it is not so."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.postprocess import Calibration
from zoo.predict import (
    ExportMetadata,
    GraphPredictor,
    ImageResize,
    graph_files,
    read_metadata,
    write_metadata,
)
from zoo.utils.errors import ZooError

SUFFIXES = [".onnx", ".xml"]
FULL = ExportMetadata(
    Calibration(
        0.25,
        7,
        seed_threshold=0.5,
        normalisation="robust",
        sweep={"step": 4, "shortest_run": 4},
        rule="Quantile",
        parameters={"q": 0.999, "note": "<\"quotes\" & 'ümlaute'>"},
    ),
    ImageResize((64, 96), "bicubic"),
    tiling={
        "resize": {"scale": 0.5, "shorter_side": None, "multiple": 16, "bicubic": False},
        "layout": {"tile": 64, "overlap": 16, "remainder": "spread", "multiple": 16},
        "seams": "blend",
    },
    map_reduction=4,
    precision="int8",
    made_from="0123456789abcdef",
    method="ZooPatchcore",
    versions={"torch": "2"},
)


TILINGS = [
    ({"tile": -64}, "tiling.layout.tile is '-64'"),
    ({"tile": 1 << 40}, "tiling.layout.tile is "),
    ({"overlap": 64}, "use a tile of 1 or more and an overlap that is smaller"),
    ({"remainder": "cut"}, "tiling.layout.remainder is 'cut'"),
    ({"scale": 0}, "tiling.resize.scale is '0'"),
    ({"scale": 1e300}, "tiling.resize.scale is '1e\\+300'"),
    ({"shorter_side": 64}, "needs a scale or a shorter_side"),
]


def _tiling(**changes) -> dict:
    parts = {name: dict(FULL.tiling[name]) for name in ("resize", "layout")}
    for key, value in changes.items():
        parts["layout" if key in parts["layout"] else "resize"][key] = value
    return {**FULL.tiling, **parts}


def test_text_and_back():
    assert ExportMetadata.from_text(FULL.to_text()) == FULL
    assert ExportMetadata.from_text(ExportMetadata(Calibration(1.0)).to_text()).resize is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_graph_carries_the_models_calibration_and_resize(suffix, graph, fitted):
    found = read_metadata(graph(suffix))
    assert found.calibration == fitted.model.post_processor.calibration
    assert found.resize == ImageResize((64, 64))
    assert (found.method, found.tiling) == ("ZooPatchcore", None)
    assert found.versions["anomalib"] == "2.7.0"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_new_thresholds_are_put_into_a_graph_that_stands(suffix, graph, exported, tmp_path):
    texture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for file in graph(suffix).parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / graph(suffix).name
    names = sorted(file.name for file in tmp_path.iterdir())
    for metadata in (replace(FULL, resize=None), FULL):
        write_metadata(path, metadata)
        assert read_metadata(path) == metadata
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    copy = GraphPredictor(path, threads=1)
    assert copy.metadata == FULL
    copy.metadata = replace(FULL, tiling=None, map_reduction=1)
    [after], [before] = copy.score_images([texture]), exported(suffix).score_images([texture])
    np.testing.assert_array_equal(after.score_map, before.score_map)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_and_missing_graphs_are_one_line(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    for read in (read_metadata, GraphPredictor):
        with pytest.raises(ZooError, match="the file does not exist"):
            read(path)
    path.write_text("no graph")
    path.with_suffix(".bin").write_bytes(b"")  # the weights of an OpenVINO graph
    for read in (read_metadata, GraphPredictor, lambda file: write_metadata(file, FULL)):
        with pytest.raises(ZooError, match=f"model{suffix}.*export it again") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_graph_of_somebody_else_carries_no_calibration(tmp_path):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    made = onnx.helper.make_graph([node], "foreign", [value], [other])
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(made, opset_imports=[opset]), tmp_path / "m.onnx")
    with pytest.raises(ZooError, match="carries no calibration"):
        read_metadata(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "metadata of format 99"),
        ({"calibration": {"version": 99}}, "calibration of format 99"),
        ({"calibration": None}, "calibration: the whole should be fields"),
        ({"unknown": 1}, "'unknown' is no field of it"),
        ({"resize": {"size": [64, 0]}}, "resize.size.1 is '0'"),
        ({"resize": {"size": [64, 10**9]}}, "resize.size.1 is '1000000000'"),
        ({"resize": {"size": [64, 64], "interpolation": "foo"}}, "resize.interpolation is 'foo'"),
        ({"resize": {"size": [64, 64], "aspect": {"scale": 0}}}, "resize.aspect.scale is '0'"),
        ({"resize": {"size": [64, 64], "aspect": {}}}, "needs a scale or a shorter_side"),
        ({"resize": {"size": [64, 64], "aspect": {"scale": 0.5}}}, "needs a scale or a short"),
        ({"map_reduction": 0}, "map_reduction is '0'"),
        ({"map_reduction": True}, "map_reduction is 'True'"),
        ({"precision": "int4"}, "precision is 'int4'"),
        ({"is_cut": 1}, "is_cut is '1'"),
        *(({"tiling": _tiling(**change)}, says) for change, says in TILINGS),
    ],
)
def test_what_this_version_cannot_read_is_named_with_its_file(change, words):
    text = json.dumps({**json.loads(FULL.to_text()), **change})
    with pytest.raises(ZooError, match=rf"model\.onnx: .*{words}"):
        ExportMetadata.from_text(text, "model.onnx")


def test_other_files_and_missing_packages_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(ZooError, match=r"give a \.onnx or \.xml file"):
        read_metadata(tmp_path / "model.pt")

    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(graph_files, "import_module", missing)
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ZooError, match=r"onnx is not installed: pip .*zoo\[export\]"):
        read_metadata(tmp_path / "m.onnx")
