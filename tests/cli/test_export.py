"""`zoo export`: a run as graphs, and anomalib's own verb, both with the calibration that holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Resize

import zoo
from zoo.cli import main
from zoo.postprocess import Calibration
from zoo.predict import read_metadata, write_metadata
from zoo.runs import calibrations as history
from zoo.runs import export as export_module
from zoo.runs.export import NormalImages

pytestmark = pytest.mark.slow

for _package in ("onnx", "onnxscript", "onnxruntime", "openvino"):
    pytest.importorskip(_package, reason="the extra `export` is not installed")

# Few operations: a graph of it is made in seconds.
NETWORK = {"weights": "random", "backbone": "resnet10t", "layers": ["layer1", "layer2"]}
MODEL = {**NETWORK, "image_size": 64, "coreset_sampling_ratio": 0.1}
RECIPE = {
    "model": {"class_path": "ZooPatchcore", "init_args": MODEL},
    "data": {"class_path": "zoo.data.MVTecAD2Layout"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, write_object):
    folder = tmp_path_factory.mktemp("export")
    write_object(folder / "data", "part")
    (folder / "quick.yaml").write_text(yaml.safe_dump(RECIPE))
    words = ["bench", str(folder / "quick.yaml"), "--data.root", str(folder / "data")]
    assert main([*words, "--splits", "test_public", "--out", str(folder / "r")]) == 0
    return folder / "r" / "quick" / "part" / "seed0"


@pytest.fixture(scope="module")
def graphs(run, tmp_path_factory):
    """Return a folder with the run's graphs in both formats, in fp32 and fp16."""
    folder = tmp_path_factory.mktemp("graphs")
    words = ["export", str(run), "--format", "onnx", "openvino", "--precision", "fp32", "fp16"]
    assert main([*words, "--out", str(folder)]) == 0
    return folder


def test_a_run_becomes_both_formats(run, graphs):
    names = [f"{stem}.{suffix}" for suffix in ("onnx", "xml") for stem in ("model", "model-fp16")]
    for name in names:
        assert read_metadata(graphs / name).calibration == Calibration.load(
            run / "calibration.json"
        )
    others = {path.name for path in graphs.iterdir()} - set(names)
    assert others == {"model.bin", "model-fp16.bin"}


def test_graphs_agree_with_torch_and_are_taken_as_they_are(run, graphs, tmp_path, capsys):
    shutil.copytree(graphs, tmp_path, dirs_exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    words = ["export", str(run), "--check", "--out", str(tmp_path)]
    more = ["--format", "onnx", "openvino", "--precision", "fp32", "fp16"]
    assert main([*words, *more]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "6 images" in lines[0]  # three of validation, and each with a defect
    names = [f"{stem}.{suffix}" for suffix in ("onnx", "xml") for stem in ("model", "model-fp16")]
    assert [line.split()[0] for line in lines[3:]] == names
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before

    path = tmp_path / "model.onnx"
    write_metadata(path, replace(read_metadata(path), calibration=Calibration(-1e9)))
    assert main(words) == 1
    assert "model.onnx: the mask differs from torch by " in capsys.readouterr().err


def test_images_of_a_person_are_compared(run, graphs, tmp_path, write_image, texture, capsys):
    for index in range(2):
        write_image(tmp_path / "mine" / f"{index}.png", texture(index, (30, 90)))
    words = ["export", str(run), "--check", "--images", str(tmp_path / "mine")]
    assert main([*words, "--out", str(graphs)]) == 0
    assert "2 images" in capsys.readouterr().out


@pytest.mark.slow
def test_images_of_several_shapes_go_through_one_graph_in_tiles(
    tmp_path, monkeypatch, write_image, texture, capsys
):
    monkeypatch.chdir(tmp_path)
    shapes = [(48, 64), (64, 64), (64, 40)]
    for index in range(12):
        write_image(tmp_path / f"good/{index}.png", texture(index, shapes[index % 3]))
    model = {"weights": "random", "shorter_side": 64, "bank_size": 100}
    one_by_one = {"train_batch_size": 1, "eval_batch_size": 1}
    recipe = {
        "model": {"class_path": "ZooSuperAD", "init_args": model},
        "data": {**RECIPE["data"], "init_args": one_by_one},
    }
    (tmp_path / "shapes.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", "shapes.yaml", "--good", "good", "--out", "RUN"]) == 0
    assert main(["export", "RUN", "--check"]) == 0
    said = capsys.readouterr()
    assert "a graph has one input size, and the run's images have " in said.err
    assert said.out.splitlines()[-1].startswith("images are cut into tiles of one size, in torch")
    found = read_metadata("RUN/exported/model.onnx")
    assert found.is_cut
    assert (found.tiling["layout"]["tile"], found.tiling["layout"]["overlap"]) == (64, 16)
    assert found.calibration.threshold != Calibration.load("RUN/calibration.json").threshold
    assert main(["export", "RUN", "--input-size", "64", "64", "--out", "square"]) == 0
    assert read_metadata("square/model.onnx").resize.size == (64, 64)


def test_shapes_that_only_training_images_have_are_seen(run, monkeypatch):
    normal = NormalImages(run)
    monkeypatch.setattr(NormalImages, "learned", lambda self: [Path("upright.png")])
    monkeypatch.setattr(
        export_module, "image_size", lambda path: (64, 48) if path.stem == "upright" else (48, 64)
    )
    resize = Compose([Resize(32, antialias=True)])
    predictor = SimpleNamespace(model=SimpleNamespace(pre_processor=PreProcessor(resize)))
    said = []
    found = export_module.graph_input_size(predictor, normal, None, said.append)
    assert found == ((32, 32), True)
    assert "have 2 there" in said[0]


@pytest.mark.slow
def test_int8_has_limits_of_its_own_maps_and_keeps_the_rule(run, tmp_path, capsys):
    pytest.importorskip("nncf", reason="the extra `export` is not installed")
    words = ["export", str(run), "--format", "onnx", "openvino", "--precision", "int8"]
    assert main([*words, "--out", str(tmp_path), "--check"]) == 0
    old = Calibration.load(run / "calibration.json")
    for suffix in (".onnx", ".xml"):
        new = read_metadata(tmp_path / f"model-int8{suffix}").calibration
        assert (new.rule, new.n_images, new.split) == (old.rule, old.n_images, old.split)
        assert new.threshold != old.threshold
        assert new.threshold == pytest.approx(old.threshold, rel=0.5)
    capsys.readouterr()


def test_int8_says_where_it_misses_its_images(run, tmp_path, capsys):
    pytest.importorskip("nncf", reason="the extra `export` is not installed")
    words = ["export", str(run), "--precision", "int8", "--out", str(tmp_path)]
    assert main([*words, "--data.root", str(tmp_path / "moved")]) == 1
    error = capsys.readouterr().err
    assert "are not there" in error
    assert "--good DIR" in error
    assert error.count("\n") == 1
    root = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["root"]
    assert main([*words, "--good", f"{root}/part/train/good"]) == 1
    assert "learned from" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_anomalibs_own_verb_carries_the_calibration_that_holds_now(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    newer = Calibration(12.5, 3, rule="fixed")
    history.set_calibration(copy, newer)
    options = [
        f"--model.{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in MODEL.items()
    ]
    words = ["anomalib", "export", "--model", "ZooPatchcore", *options, "--export_type", "onnx"]
    root = ["--export_root", str(tmp_path / "out"), "--default_root_dir", str(tmp_path)]
    assert main([*words, *root, "--ckpt_path", str(copy / "model.ckpt")]) == 0
    [path] = (tmp_path / "out").rglob("*.onnx")
    assert read_metadata(path).calibration == newer
    assert zoo.load(copy).calibration == newer


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "no such folder at nowhere"),
        (["{run}", "--format", "tflite"], "choose from"),
        (["{run}", "--input-size", "32", "32"], "is not the model's own (64, 64)"),
        (["{run}", "--precision", "int4"], "choose from"),
        (["{run}", "--images", "x"], "--images belongs to --check"),
        (["{run}", "--check", "--images", "nowhere"], "no images at nowhere"),
    ],
)
def test_mistakes_are_one_line(run, words, says, capsys):
    assert main(["export", *(word.format(run=run) for word in words)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_checkpoint_that_is_not_there_is_one_line(tmp_path, capsys):
    words = ["anomalib", "export", "--model", "ZooPatchcore", "--export_type", "onnx"]
    missing = str(tmp_path / "no.ckpt")
    assert main([*words, "--model.weights=random", "--ckpt_path", missing]) == 1
    assert f"no checkpoint at {missing}" in capsys.readouterr().err


def test_a_model_that_was_never_calibrated_is_one_line(tmp_path, capsys):
    words = ["anomalib", "export", "--model", "ZooPatchcore", "--model.weights=random"]
    assert main([*words, "--export_type", "onnx", "--default_root_dir", str(tmp_path)]) == 1
    assert "ZooPatchcore is not calibrated" in capsys.readouterr().err
