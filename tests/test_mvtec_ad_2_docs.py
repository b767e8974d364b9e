"""Every command of docs/mvtec-ad-2.md runs as it stands, on the rendered data set."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.data.tiny import write_tiny

PAGE = Path(__file__).parents[1] / "docs" / "mvtec-ad-2.md"
RECIPE = "patchcore/embedded"
QUICK = """
model:
  class_path: ZooPatchcore
  init_args:
    weights: embedded
    image_size: 96
    coreset_sampling_ratio: 0.02
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 8, eval_batch_size: 8}
"""


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines()]


def run(command: str, monkeypatch) -> None:
    program, *words = shlex.split(command)
    if program == "zoo":
        assert main(words) == 0, command
        return
    assert program == "python"
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(words[0], run_name="__main__")
    assert not ended.value.code, command


def all_commands(tmp_path, monkeypatch, **replaced: str) -> None:
    for command in commands():
        for old, new in replaced.values():
            command = command.replace(old, new)
        run(command, monkeypatch)
    made = {"entry.tar.gz", "vand4.tar.gz", "vand4", "runs"}
    assert made <= {path.name for path in tmp_path.iterdir()}


def test_there_is_something_to_run():
    verbs = [shlex.split(command)[1] for command in commands()]
    assert verbs[:4] == ["bench", "submit", "submit", "table"]
    assert len(verbs) == 7


def test_all_commands_with_a_smaller_model_on_one_object(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = write_tiny(tmp_path / "tiny", objects=["badge"])
    Path("quick.yaml").write_text(QUICK, encoding="utf-8")
    all_commands(
        tmp_path,
        monkeypatch,
        data=("$ZOO_DATA", str(data)),
        folder=(RECIPE.replace("/", "-"), "quick"),
        recipe=(RECIPE, "quick.yaml"),
    )
    printed = capsys.readouterr().out
    assert printed.count("has no error: 32 maps and 32 masks of 1 objects") == 2
    assert "| quick | patchcore | yes | 1 | 1 |" in printed


@pytest.mark.slow
def test_all_commands_as_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = write_tiny(tmp_path / "tiny")
    all_commands(tmp_path, monkeypatch, data=("$ZOO_DATA", str(data)))
    assert capsys.readouterr().out.count("has no error: 96 maps and 96 masks of 3 objects") == 2
