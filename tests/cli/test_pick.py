"""`zoo pick`: from a folder of normal images to an exported model, and back in no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.predict import read_metadata

for _package in ("onnx", "onnxscript", "openvino"):
    pytest.importorskip(_package, reason="the extra `export` is not installed")

RECIPE = """
model:
  class_path: ZooPatchcore
  init_args: {weights: random, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
"""


@pytest.fixture
def good(tmp_path, monkeypatch, texture, write_image):
    monkeypatch.chdir(tmp_path)
    for index in range(12):
        write_image(tmp_path / f"good/{index}.png", texture(index))
    Path("quick.yaml").write_text(RECIPE, encoding="utf-8")
    return "good"


@pytest.mark.slow
def test_a_budget_becomes_a_model_that_agrees_with_its_run(good, capsys, monkeypatch):
    words = ["pick", "--good", good, "--budget", "10s,16GB", "--recipes", "quick.yaml"]
    words += ["--sizes", "64", "--precision", "fp32"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "estimate is from synthetic" in printed.out
    assert "picked quick at 64 in fp32: " in printed.out
    assert " is an estimate, real defects decide; masks differ from torch in " in printed.out
    assert "differences from torch" in printed.out
    picked = json.loads(Path("picked/pick.json").read_text())
    assert picked["winner"]["is_on_front"]
    assert picked["rows"][0]["estimated_segf1"] == picked["winner"]["estimated_segf1"]
    assert read_metadata("picked/model.xml").method == "ZooPatchcore"
    assert main(["predict", "picked/model.xml", good]) == 0

    monkeypatch.setattr(
        "zoo.benchmark.attempt.make_run", lambda *args, **options: pytest.fail("fitted again")
    )
    assert main(words) == 0
    again = json.loads(Path("picked/pick.json").read_text())
    assert again["winner"]["estimated_segf1"] == picked["winner"]["estimated_segf1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--budget", "fast"], "the budget 'fast' cannot be read"),
        (["--budget", "5ms", "--recipes", "nothing"], "there is no recipe 'nothing'"),
        (["--budget", "5ms", "--sizes", "0"], "must be 1 or more"),
        (["--budget", "5ms", "--out", "good/out"], "lies among the normal images"),
        (["--budget", "5ms", "--precision", "int4"], "choose from"),
        ([], "--budget"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(words, says, good, capsys):
    assert main(["pick", "--good", good, *words]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not Path("picked").exists()


def test_too_few_images_are_one_line(good, capsys):
    for path in sorted(Path(good).iterdir())[5:]:
        path.unlink()
    assert main(["pick", "--good", good, "--budget", "5ms"]) == 1
    error = capsys.readouterr().err
    assert "5 normal images: zoo pick needs 8 at least" in error
    assert error.count("\n") == 1
