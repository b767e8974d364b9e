"""What a stranger installs: the wheel's content, and the demo from beginning to end."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.recipes.files import DEMO, recipe_names

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_has_two_packages_with_recipes_cards_and_baselines(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT]
    subprocess.run(list(map(str, command)), check=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"zoo", "zoo_plugins"}
    for wanted in (
        "zoo_plugins/patchcore/card.yaml",
        "zoo/_recipes/patchcore/embedded.yaml",
        "zoo/_recipes/quickstart.yaml",
        "zoo/_results/baselines.csv",
        "zoo/results/report/assets/page.html",
    ):
        assert wanted in names


@pytest.mark.slow
def test_the_demo_prints_a_table(tmp_path, capsys):
    recipes = ["patchcore/demo", "superad/demo"]  # other methods are fitted by their contract
    assert main(["demo", "--out", str(tmp_path / "demo"), "--recipes", *recipes]) == 0
    printed = capsys.readouterr().out
    for name in ("patchcore", "superad"):
        assert f"| {name}/demo | {name} | yes | 3 | 1 |" in printed
    assert "no comparison of methods" in printed
    assert len(list((tmp_path / "demo" / "runs").rglob("metrics.json"))) == 6
    assert list((tmp_path / "demo" / "runs").rglob("cases/*/*.png"))
    assert "patchcore/demo" in (tmp_path / "demo" / "report.html").read_text("utf-8")


def test_every_bundled_method_is_in_the_demo():
    folders = {path.parent.name for path in (ROOT / "plugins/zoo_plugins").glob("*/card.yaml")}
    shown = {name.removesuffix(DEMO) for name in recipe_names() if name.endswith(DEMO)}
    assert shown == folders
