"""What graphs carry along: through both formats and back, and in clear words when it is not so."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from torchvision.transforms.v2 import CenterCrop, Compose, InterpolationMode, Normalize, Resize

from zoo import export as package
from zoo.export.graph import after_resize, calibration_of, export_model, metadata_of
from zoo.methods import BlobPostProcessor
from zoo.postprocess import Calibration
from zoo.predict import ExportMetadata, GraphPredictor, ImageResize, read_metadata, write_metadata
from zoo.predict import graph_files as files_module
from zoo.predict.graph import at_graph_size
from zoo.utils.errors import ZooError

SUFFIXES = [".onnx", ".xml"]
FULL = ExportMetadata(
    Calibration(
        0.25,
        7,
        seed_threshold=0.5,
        normalisation="robust",
        sweep={"step": 4, "shortest_run": 4},
        image_threshold=9.5,
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


@pytest.fixture
def swap(fitted):
    """Return a function that gives the fitted model another part until the test ends."""
    model, own = fitted.model, {}

    def put(name, part):
        own.setdefault(name, getattr(model, name))
        setattr(model, name, part)
        return part

    yield put
    for name, part in own.items():
        setattr(model, name, part)


def test_text_and_back():
    assert ExportMetadata.from_text(FULL.to_text()) == FULL
    assert ExportMetadata.from_text(ExportMetadata(Calibration(1.0)).to_text()).resize is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_graph_carries_the_models_calibration_and_resize(suffix, graph, fitted):
    found = read_metadata(graph(suffix))
    assert found.calibration == fitted.model.post_processor.calibration
    assert found.resize == ImageResize((64, 64), "bilinear", antialias=True)
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
        ({"native_resize": "bicubic"}, "bicubic"),
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

    monkeypatch.setattr(files_module, "import_module", missing)
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ZooError, match=r"onnx is not installed: pip .*zoo\[export\]"):
        read_metadata(tmp_path / "m.onnx")


def test_an_exported_model_needs_no_torch(graph):
    code = (
        "import sys; from zoo.predict import GraphPredictor; import numpy as np;"
        f"m = GraphPredictor({str(graph('.onnx'))!r});"
        "m.predict(np.zeros((30, 40, 3), np.uint8)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_model_without_calibration_makes_no_graph(fitted, tmp_path, swap):
    swap("post_processor", BlobPostProcessor())
    with pytest.raises(ZooError, match="ZooPatchcore is not calibrated"):
        export_model(fitted.model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_sizes_and_names_that_cannot_be_are_refused(fitted, tmp_path):
    with pytest.raises(ZooError, match=r"input_size \(32, 32\) is not the model's own \(64, 64\)"):
        export_model(fitted.model, tmp_path / "model.onnx", input_size=(32, 32))
    with pytest.raises(ZooError, match=r"name a \.onnx or \.xml file"):
        export_model(fitted.model, tmp_path / "model.tflite")


@pytest.mark.parametrize(
    ("transform", "size", "rest"),
    [
        (Compose([Resize((64, 96)), Normalize([0.5], [0.5])]), (64, 96), "Normalize"),
        (Compose([Compose([Resize([8, 8])]), Normalize([0.5], [0.5])]), (8, 8), "Normalize"),
        (Resize((8, 8)), (8, 8), None),
        (Normalize([0.5], [0.5]), None, "Normalize"),
    ],
)
def test_the_graph_begins_behind_the_resize(transform, size, rest, fitted, swap):
    pre_processor = swap("pre_processor", type(fitted.model.pre_processor)(transform))
    before = pre_processor.export_transform
    with after_resize(fitted.model) as found:
        assert found == size
        inside = pre_processor.export_transform
    assert pre_processor.export_transform is before
    assert "Resize" not in repr(inside)
    assert (rest in repr(inside)) if rest else inside is None
    described = metadata_of(fitted.model, calibration_of(fitted.model)).resize
    assert (described.size if described else None) == size


def test_a_resize_that_keeps_the_aspect_wants_a_size(fitted, swap):
    pre_processor = swap("pre_processor", type(fitted.model.pre_processor)(Resize(32)))
    said = r"shorter side to 32 .*give input_size"
    with pytest.raises(ZooError, match=said), after_resize(fitted.model):
        pass
    with after_resize(fitted.model, (32, 48)) as size:
        assert size == (32, 48)
    pre_processor.transform = CenterCrop(8)
    with pytest.raises(ZooError, match="crops"), after_resize(fitted.model):
        pass


@pytest.mark.parametrize(
    "resize", [Resize((8, 8), InterpolationMode.NEAREST), Resize((8, 8), antialias=False)]
)
def test_a_resize_that_no_graph_does_is_refused(resize, fitted, swap):
    swap("pre_processor", type(fitted.model.pre_processor)(resize))
    with pytest.raises(ZooError, match="fit it with bilinear or bicubic and antialias=True"):
        metadata_of(fitted.model, calibration_of(fitted.model))


def test_a_picture_gets_to_the_graphs_size(texture):
    pixels, plain = texture(1, (300, 200)), ExportMetadata(Calibration(1.0))
    assert at_graph_size(pixels, plain) is pixels
    small = at_graph_size(pixels, replace(plain, resize=ImageResize((64, 96))))
    assert (small.shape, small.dtype) == ((64, 96, 3), np.uint8)


def test_the_package_says_what_it_has():
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError):
        _ = package.nothing
