"""`zoo export`: a run as graphs, and anomalib's own verb, both with the calibration that holds."""

from __future__ import annotations

import shutil

import pytest
import yaml

import zoo
from zoo.cli import main
from zoo.export import read_metadata
from zoo.post import Calibration

for _package in ("onnx", "onnxscript", "onnxruntime", "openvino"):
    pytest.importorskip(_package, reason="the extra `export` is not installed")

MODEL = {"weights": "random", "image_size": 64, "coreset_sampling_ratio": 0.1}
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


def test_a_run_becomes_both_formats(run, tmp_path, capsys):
    words = ["export", str(run), "--format", "both", "--out", str(tmp_path)]
    assert main(words) == 0
    paths = [tmp_path / "model.onnx", tmp_path / "model.xml"]
    assert capsys.readouterr().out.split()[-2:] == [str(path) for path in paths]
    for path in paths:
        assert read_metadata(path).calibration == Calibration.load(run / "calibration.json")
    others = {path.name for path in tmp_path.iterdir()} - {path.name for path in paths}
    assert others == {"model.onnx.data", "model.bin"}


def test_anomalibs_own_verb_carries_the_calibration_that_holds_now(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    newer = Calibration(12.5, 3, rule="fixed")
    newer.save(copy / "calibration.json")
    options = [f"--model.{key}={value}" for key, value in MODEL.items()]
    words = ["export", "--model", "ZooPatchcore", *options, "--export_type", "onnx"]
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
    ],
)
def test_mistakes_are_one_line(run, words, says, capsys):
    assert main(["export", *(word.format(run=run) for word in words)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_checkpoint_that_is_not_there_is_one_line(tmp_path, capsys):
    words = ["export", "--model", "ZooPatchcore", "--export_type", "onnx"]
    missing = str(tmp_path / "no.ckpt")
    assert main([*words, "--model.weights=random", "--ckpt_path", missing]) == 1
    assert f"no checkpoint at {missing}" in capsys.readouterr().err


def test_a_model_that_was_never_calibrated_is_one_line(tmp_path, capsys):
    words = ["export", "--model", "ZooPatchcore", "--model.weights=random"]
    assert main([*words, "--export_type", "onnx", "--default_root_dir", str(tmp_path)]) == 1
    assert "ZooPatchcore is not calibrated" in capsys.readouterr().err
