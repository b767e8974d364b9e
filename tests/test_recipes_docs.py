"""The commands of docs/recipes.md run on small images, and the recipe that it shows is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.recipes.files import Recipe, recipe_names

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text("utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]
SMALL = {"1024": "48 --tiling.side 64", "OBJECT": "part", "patchcore/embedded": "small.yaml"}
RECIPE = """
model:
  class_path: ZooPatchcore
  init_args: {weights: embedded, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
"""


def test_there_is_something_to_run():
    verbs = [shlex.split(command)[1] for command in COMMANDS]
    assert verbs == ["list", "show", "train", "train", "fit", "train", "bench"]


def test_every_kind_of_name_is_explained():
    explained = set(re.findall(r"^\| `(\w+)` \| ", PAGE, re.M))
    assert {name.rpartition("/")[2] for name in recipe_names()} <= explained


def test_the_commands_run(tmp_path, monkeypatch, capsys, mini, texture, write_image):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(RECIPE, encoding="utf-8")
    for index in range(8):
        write_image(tmp_path / f"photos/good/{index}.png", texture(index))
    for command in COMMANDS:
        for old, new in ({"$ZOO_DATA": str(mini)} | SMALL).items():
            command = command.replace(old, new)
        command, _, into = command.partition(" > ")
        capsys.readouterr()
        if "--print_config" in command:
            with pytest.raises(SystemExit, match="0"):
                main(shlex.split(command)[1:])
        else:
            assert main(shlex.split(command)[1:]) == 0, command
        if into:
            Path(into).write_text(capsys.readouterr().out, encoding="utf-8")
    assert "my_recipe · part · seed 0 · to do" in capsys.readouterr().out
    assert (tmp_path / "runs" / "small" / "part" / "seed0" / "metrics.json").is_file()
    assert (tmp_path / "detector" / "model.ckpt").is_file()


def test_the_anatomy_is_a_recipe(tmp_path, monkeypatch, capsys, mini):
    monkeypatch.chdir(tmp_path)
    [anatomy] = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    path = tmp_path / "mine.yaml"
    path.write_text(anatomy, encoding="utf-8")
    assert Recipe("mine", path).description.startswith("PatchCore with my settings")
    assert Recipe("mine", path).needs == "the model hub once, and a graphics card"
    assert main(["bench", "mine.yaml", "--data.root", str(mini), "--dry-run"]) == 0
    assert "mine · part · seed 0 · to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tiling: {window: 48}\nnote: part", "names the object 'part'"),
        ("trainer: {callbacks: [{class_path: os.system}]}", "--trust"),
    ],
)
def test_what_a_recipe_may_not_do(tmp_path, capsys, mini, line, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{RECIPE}{line}\n", encoding="utf-8")
    assert main(["bench", str(path), "--data.root", str(mini), "--out", str(tmp_path)]) == 1
    assert said in "".join(capsys.readouterr())
