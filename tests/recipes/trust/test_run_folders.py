"""A run folder of a stranger gets no more than a recipe, through every door that reads one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.cli import main
from zoo.cli.train import parse
from zoo.recipes.experiment import load
from zoo.runs.checksums import write_checksums
from zoo.runs.run import config_text
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

RECIPE = """\
model:
  class_path: ZooPatchcore
  init_args:
    weights: random
    backbone: resnet10t
    layers: [layer1, layer2]
    image_size: 64
    bank_size: 40
    post_processor:
      class_path: zoo.methods.BlobPostProcessor
      init_args: {rule: {class_path: zoo.postprocess.Quantile}}
data: {class_path: zoo.data.MVTecAD2Layout}
"""
OBJECTS = ["01", "1e3", "a b", "no"]  # three of them are no text in YAML 1.1
POPEN = """
    pre_processor:
      class_path: torch.nn.Transformer
      init_args:
        custom_encoder: {class_path: subprocess.Popen, init_args: {args: touch owned, shell: true}}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_object) -> Path:
    """Return the folder of one small run for each object."""
    folder = tmp_path_factory.mktemp("runs")
    for name in OBJECTS:
        write_object(folder / "data", name, truth=False)
    (folder / "r.yaml").write_text(RECIPE)
    words = ["bench", str(folder / "r.yaml"), "--data.root", str(folder / "data")]
    assert main([*words, "--splits", "test_public", "--out", str(folder / "out")]) == 0
    return folder / "out" / "r"


@pytest.fixture
def run(runs, tmp_path, monkeypatch) -> Path:
    """Return a run to change, in a folder to work in."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(runs / "01" / "seed0", tmp_path / "run"))


def _config(run: Path, old: str, new: str) -> None:
    path = run / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    write_checksums(run)  # as whoever means harm would


def _doors(run: Path, capsys) -> set[str]:
    """Return the one line of everything that reads a run; nothing may have been run."""
    good = run.parent / "good"
    good.mkdir(exist_ok=True)
    for name in ("0.png", "1.png"):
        (good / name).write_bytes(name.encode())
    said = set()
    for words in (["predict", str(run), "good/0.png"], ["calibrate", str(run), "--good", "good"]):
        assert main(words) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        said.add(error.removeprefix("zoo: ").strip())
    with pytest.raises(ZooError) as raised:
        zoo.load(run)
    assert not (run.parent / "owned").exists()
    assert not (run.parent / "elsewhere").exists()
    return {*said, str(raised.value)}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\n    pre_processor: true\n", POPEN, "names 'torch.nn.Transformer'"),
        ("\nmodel:", "\nnote: !!python/name:os.system x\nmodel:", "the tag"),
        ("\nmodel:", "\nseed_everything: 1\nmodel:", "'seed_everything' stands twice"),
        ("image_size: 64", "image_size: -64", "model.init_args.image_size is -64"),
        ("image_size: 64", "image_size: .nan", ".nan is no finite number"),
        ("bank_size: 40", "bank_size: 40\n    backbone: hf-hub:a/b", "'backbone' stands twice"),
        ("backbone: resnet10t", "backbone: hf-hub:a/b", "is an address"),
        ("zoo_plugins.patchcore.ZooPatchcore", "zoo.cli.main", "names 'zoo.cli.main'"),
        ("zoo_plugins.patchcore.ZooPatchcore", "os.system", "names 'os.system' of package 'os'"),
    ],
)
def test_a_changed_configuration_is_one_line_and_runs_nothing(run, capsys, old, new, says):
    _config(run, old, new)
    for line in _doors(run, capsys):
        assert says in line
        assert "config.yaml" in line


def test_a_line_that_another_reader_refuses_hides_nothing(run, capsys):
    _config(run, "\n    pre_processor: true\n", POPEN)
    _config(run, "\nmodel:", "\nnote: ._\nmodel:")
    for line in _doors(run, capsys):
        assert "names 'torch.nn.Transformer'" in line


def test_another_encoding_hides_nothing(run, capsys):
    text = (run / "config.yaml").read_text().replace("\n    pre_processor: true\n", POPEN)
    (run / "config.yaml").write_bytes(f"# é\n{text}".encode("latin-1"))
    for line in _doors(run, capsys):
        assert "is not UTF-8 (byte 2): save it as UTF-8" in line


@pytest.mark.slow
def test_an_encoding_that_is_not_the_locales_hides_nothing(run):
    text = (run / "config.yaml").read_text().replace("\n    pre_processor: true\n", POPEN)
    (run / "config.yaml").write_bytes(f"# é\n{text}".encode())
    done = subprocess.run(
        [sys.executable, "-c", "import zoo; zoo.load('run')"],
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path), "LC_ALL": "C", "PYTHONUTF8": "0"},
        check=False,
    )
    assert b"names 'torch.nn.Transformer'" in done.stderr
    assert not Path("owned").exists()


def test_only_who_trusts_gets_what_a_configuration_names(run):
    _config(run, "\n    pre_processor: true\n", POPEN)
    with pytest.raises(ZooError, match="cannot be rebuilt"):
        zoo.load(run, trust=True)
    assert Path("owned").exists()  # so the door is real


@pytest.mark.parametrize("name", OBJECTS)
def test_names_are_text_from_the_first_to_the_last_file(runs, name):
    config = runs / name / "seed0" / "config.yaml"
    assert read_yaml(config)["data"]["init_args"]["category"] == name
    again = load(config)
    assert again.object_name == again.data["init_args"]["category"] == name
    assert config_text(again) == config.read_text(encoding="utf-8")
    zoo.load(config.parent, device="cpu")


@pytest.mark.parametrize("name", ["null", "~", "true", "a: b", "[x]", "{a, b}", "&a", "#x", "é"])
def test_names_that_look_like_yaml_are_text(name):
    words = ["--config", "quickstart", "--data.root", "x", f"--data.category={name}"]
    assert parse(words)[0]["data"].init_args.category == name
    words[-1:] = ["--data.category", name, "--data.train_batch_size", "2"]
    data = parse(words)[0]["data"].init_args
    assert (data.root, data.category, data.train_batch_size) == ("x", name, 2)


def test_a_number_for_a_name_says_how_to_write_it(tmp_path, capsys):
    path = tmp_path / "r.yaml"
    path.write_text(f"{RECIPE[:-2]}, init_args: {{category: 1e3}}}}\n")
    assert main(["train", "--config", str(path)]) == 1
    assert "expected str, got '1000.0': in a file, put quotes around it" in capsys.readouterr().err
