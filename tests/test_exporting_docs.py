"""The commands and the lines of docs/exporting.md do what the page says."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.cli import main
from zoo.cli.dispatch import Parser
from zoo.export.agreement import ALLOWED

PAGE = (Path(__file__).parents[1] / "docs" / "exporting.md").read_text("utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]
RECIPE = """
model:
  class_path: ZooPatchcore
  init_args: {weights: embedded, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
"""

for _package in ("onnx", "onnxscript", "onnxruntime", "openvino"):
    pytest.importorskip(_package, reason="the extra `export` is not installed")


def all_but_pick(tmp_path, monkeypatch, texture, write_image, *replaced) -> None:
    """Fit a model, carry the page's commands out on it, and then its lines."""
    monkeypatch.chdir(tmp_path)
    for index in range(8):
        write_image(tmp_path / f"good/{index}.png", texture(index))
    bad = texture(9)
    cv2.rectangle(bad, (20, 10), (40, 26), (255, 255, 255), -1)
    write_image(tmp_path / "IMAGES/7.png", bad)
    Path("quick.yaml").write_text(RECIPE, encoding="utf-8")
    assert main(["fit", "quick.yaml", "--good", "good", "--out", "RUN"]) == 0
    assert main(["calibrate", "RUN", "--rule", "Quantile(q=0.9)"]) == 0  # so that masks hold some
    for command in COMMANDS[:3]:
        for old, new in replaced:
            command = command.replace(old, new)
        assert main(shlex.split(command)[1:]) == 0, command
    lines, others = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "7.png").write_bytes((tmp_path / "IMAGES/7.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    for file in Path("RUN/exported").iterdir():
        Path(file.name).write_bytes(file.read_bytes())
    assert main(["predict", "model.onnx", "IMAGES", "--out", "expected"]) == 0
    expected = cv2.imread("expected/masks/7.png", cv2.IMREAD_GRAYSCALE) > 0
    assert expected.any()
    found: dict = {}
    exec(compile(lines, "exporting.md", "exec"), found)
    np.testing.assert_array_equal(found["mask"], expected)
    last = lines.splitlines()[-1]
    exec(compile(f"import openvino\n{others}\n{last}", "exporting.md", "exec"), found)
    np.testing.assert_array_equal(found["mask"], expected)


def test_the_page_has_ten_lines_and_the_allowed_differences():
    lines = re.findall(r"```python\n(.*?)```", PAGE, re.S)[0].splitlines()
    assert len([line for line in lines if line]) == 10
    for precision, each in ALLOWED.items():
        row = f"| {precision} | {each.map:g} | {each.score:g} | {each.mask:g} | {each.verdict:g} |"
        assert row in PAGE


def test_commands_and_lines_in_full_precision(tmp_path, monkeypatch, texture, write_image):
    smaller = [("fp32 fp16 int8", "fp32"), ("model-int8", "model")]
    all_but_pick(tmp_path, monkeypatch, texture, write_image, *smaller)


@pytest.mark.slow
def test_commands_and_lines_as_they_stand(tmp_path, monkeypatch, texture, write_image):
    pytest.importorskip("nncf", reason="the extra `export` is not installed")
    all_but_pick(tmp_path, monkeypatch, texture, write_image)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    _, verb, *rest = shlex.split(command)
    module = import_module(f"zoo.cli.{verb}")
    parser = Parser(prog=f"zoo {verb}", allow_abbrev=False)
    module.add_arguments(parser)
    parser.parse_args(rest)
