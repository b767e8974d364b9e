"""The Python lines of the README do what the README says."""

from __future__ import annotations

import re
from pathlib import Path

import cv2

from zoo.cli import main

README = Path(__file__).parents[1] / "README.md"
RECIPE = """
model:
  class_path: ZooPatchcore
  init_args: {weights: random, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
"""


def test_the_five_lines_run_as_they_stand(tmp_path, monkeypatch, capsys, texture, write_image):
    monkeypatch.chdir(tmp_path)
    for index in range(6):
        write_image(tmp_path / f"photos/good/{index}.jpg", texture(index))
    bad = texture(9)
    cv2.rectangle(bad, (20, 10), (40, 26), (255, 255, 255), -1)
    write_image(tmp_path / "photos/new/7.jpg", bad)
    Path("quick.yaml").write_text(RECIPE, encoding="utf-8")
    assert main(["fit", "quick.yaml", "--good", "photos/good", "--out", "detector"]) == 0
    [lines] = re.findall(r"```python\n(import zoo\n.*?)```", README.read_text("utf-8"), re.S)
    capsys.readouterr()
    exec(compile(lines, "README.md", "exec"), {})
    assert re.match(r"(True|False) \d+\.\d+ \[.*\] \(48, 64\)\n", capsys.readouterr().out)
