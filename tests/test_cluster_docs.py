"""Every command of docs/cluster.md is understood; the slow test runs them on rendered images."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from zoo.cli import bench, main, table
from zoo.cli.dispatch import Parser
from zoo.data.tiny import write_tiny

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text("utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]
RECIPES = "patchcore/embedded padim/stock"
QUICK = """
model:
  class_path: ZooPatchcore
  init_args: {weights: embedded, image_size: 96, coreset_sampling_ratio: 0.02}
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 8, eval_batch_size: 8}
"""


def test_there_are_commands():
    options = ("--dry-run", "--jobs", "--devices", "table", "ray")
    assert all(any(option in command for command in COMMANDS) for option in options)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_understood(command):
    program, verb, *words = shlex.split(command, comments=True)
    assert program == "zoo"
    parser = Parser(prog=f"zoo {verb}", allow_abbrev=False)
    {"bench": bench, "table": table}[verb].add_arguments(parser)
    parser.parse_args(words)


def test_the_page_shows_what_was_measured():
    measured = pd.read_csv(ROOT / "results" / "grid_scaling.csv").set_index("measure")
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.M)
    assert len(rows) == 4
    for name, (_, *seconds) in zip(measured.index[[0, 2, 3, 4]], rows, strict=True):
        expected = measured.loc[name, ["cpu", "wall"]].tolist()
        assert [float(each) for each in seconds] == pytest.approx(expected, abs=0.06), name


@pytest.mark.slow
def test_the_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)  # there is none here
    data = write_tiny(tmp_path / "tiny", objects=["badge"])
    Path("quick.yaml").write_text(QUICK, encoding="utf-8")
    for command in COMMANDS:
        line = command.replace("$ZOO_DATA", str(data)).replace(RECIPES, "quick.yaml")
        line = line.replace("--threads 4", "--threads 1")
        if "--executor ray" not in line:
            assert main(shlex.split(line, comments=True)[1:]) == 0, command
    assert "| quick | patchcore | yes | 1 |" in capsys.readouterr().out
    [command] = [command for command in COMMANDS if "--executor ray" in command]
    ray = pytest.importorskip("ray.cluster_utils", reason="the extra ray is not installed")
    shutil.rmtree("runs")
    cluster = ray.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        line = command.replace("$ZOO_DATA", str(data)).replace(RECIPES, "quick.yaml")
        line = line.replace("--threads 4", "--threads 1").replace("auto", cluster.address)
        assert main(shlex.split(line)[1:]) == 0
    finally:
        cluster.shutdown()
    assert "| quick | patchcore | yes | 1 |" in capsys.readouterr().out
