"""The Python blocks of README.md and docs/python.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest

from zoo.data.tiny import write_tiny

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S)


@pytest.fixture
def photos(tmp_path, monkeypatch, texture, write_image):
    monkeypatch.chdir(tmp_path)
    for index in range(8):
        write_image(tmp_path / f"photos/good/{index}.png", texture(index))
    bad = texture(9)
    cv2.rectangle(bad, (20, 10), (40, 26), (255, 255, 255), -1)
    write_image(tmp_path / "photos/bad/0.png", bad)
    write_image(tmp_path / "photos/new/7.jpg", bad)


@pytest.mark.usefixtures("photos")
def test_the_lines_of_the_readme_run_as_they_stand(capsys):
    [lines] = [block for block in blocks("README.md") if block.startswith("import zoo\n")]
    exec(compile(lines, "README.md", "exec"), {})
    assert re.search(r"(True|False) \d+\.\d+ \[.*\] \(48, 64\)\n", capsys.readouterr().out)


@pytest.mark.usefixtures("photos")
def test_the_page_on_python_runs_as_it_stands(capsys):
    write_tiny(Path("tinyset"), seed=0)
    names: dict[str, object] = {}
    for block in blocks("docs/python.md"):
        exec(compile(block, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "photos/bad/0.png" in printed
    assert re.search(r"quickstart\s+0\.\d+", printed)
