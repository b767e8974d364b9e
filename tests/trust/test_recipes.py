"""Trust: what a recipe of a stranger names is refused before any of it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import fsspec
import pytest

from zoo import trust
from zoo.cli import main
from zoo.errors import ZooError
from zoo.recipes import find_recipe, recipe_names
from zoo.trust import check_trusted, check_words, is_trusting, trusting

MODEL = "model:\n  class_path: ZooPatchcore\n  init_args:\n    weights: random\n"
LAMBDA = (
    MODEL + "    pre_processor:\n      class_path: anomalib.pre_processing.PreProcessor\n"
    "      init_args:\n        transform:\n"
    "          class_path: torchvision.transforms.v2.Lambda\n"
    "          init_args:\n            lambd: {}\n"
)


def _write(text: str, name: str = "r.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _refused(source: object) -> str:
    with pytest.raises(ZooError) as error:
        check_trusted(source)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model:\n  class_path: stranger.Method\n", "'model.class_path' names 'stranger.Method'"),
        ("model: stranger.Method\n", "'model' names"),
        ("train: {model: nowhere.Method}\n", "'train.model' names"),
        ("model.class_path: stranger.Method\n", "'model.class_path' names"),
        ("a:\n  b:\n  - {class_path: nowhere.at.All}\n", "'a.b[0].class_path' names"),
        (LAMBDA.format("stranger.run"), "init_args.lambd' names 'stranger.run'"),
        (LAMBDA.format("os.system"), "of package 'os'"),
        (LAMBDA.format("builtins.exec"), "of package 'builtins'"),
        (LAMBDA.format("__main__.run"), "of package '__main__'"),
        (LAMBDA.format("outer.inner.run"), "of package 'outer'"),
        ("trainer:\n  callbacks: [[' stranger.Method ']]\n", "'trainer.callbacks[0][0]' names"),
        ("trainer:\n  callbacks: !!set {stranger.Method}\n", "'trainer.callbacks[0]' names"),
        ("model: '{class_path: stranger.Method}'\n", "'model.class_path' names"),
        ("a: |\n  - b: '[stranger.run]'\n", "'a[0].b[0]' names"),
        ('{"model": {"class_path": "stranger.Method"}}', "'model.class_path' names"),
        ("a: &a\n  b: *a\n  c: stranger.run\n", "'a.c' names"),
        ("stranger.run", "'line 1' names"),
        ("a: 'b\n\nstranger.run\n\nc'\n", "'line 3' names"),
    ],
)
def test_a_name_of_a_stranger_is_refused_and_not_imported(stranger, text, says):
    error = _refused(_write(text))
    assert error.startswith("recipe r.yaml: ")
    assert says in error
    assert "neither registered nor one of zoo, anomalib" in error
    assert error.endswith("add --trust")
    assert not stranger.exists()
    assert not {"stranger", "outer"} & set(sys.modules)


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize(
    "value",
    ["blocks.two", "outer.two", "layer4.1", "r50.tv_in1k", "a.png", "test.png", "Mine.", "1.5", ""],
)
def test_layers_tags_and_files_are_no_false_alarm(value):
    Path("blocks").mkdir()
    check_trusted({"a": {"b": [value]}, "model": {"class_path": "ZooPatchcore"}, "data": "a.png"})


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_pass(name):
    check_trusted(find_recipe(name).path)


@pytest.mark.parametrize(
    "name",
    [
        "anomalib.data.Folder",
        "anomalib.loggers.AnomalibTensorBoardLogger",
        "anomalib.visualization.ImageVisualizer",
        "kornia.augmentation.RandomAffine",
        "lightning.pytorch.callbacks.EarlyStopping",
        "lightning.pytorch.loggers.CSVLogger",
        "lightning.pytorch.strategies.DDPStrategy",
        "timm.loss.LabelSmoothingCrossEntropy",
        "torch.nn.functional.relu",
        "torch.optim.AdamW",
        "torch.optim.lr_scheduler.StepLR",
        "torch.relu",
        "torch.float32",
        "torchvision.transforms.Compose",
        "torchvision.transforms.v2.functional.hflip",
        "zoo.data.MVTecAD2Layout",
        "zoo.evaluator.RawEvaluator",
        "zoo.post.Quantile",
        "zoo_plugins.patchcore.ZooPatchcore",
        "zoo_plugins.patchcore.lightning_model.Patchcore",
        "zoo.post.Quantil",
        "torch.nowhere.to_be.Found",
    ],
)
def test_what_recipes_are_made_of_passes(name):
    key = "class_path" if name.rpartition(".")[2][0].isupper() else "function"
    check_trusted({"a": {key: name}})


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("torch.os.system", os.system.__module__),
        ("torch.builtins.exec", "builtins"),
        ("torch.functools.partial", "functools"),
        ("torch.os", "os"),
        ("zoo.command.sys.exit", "sys"),
    ],
)
def test_a_name_must_belong_to_a_trusted_package_and_not_only_start_with_one(name, owner):
    assert f"which really belongs to '{owner}'" in _refused({"a": name})


@pytest.mark.parametrize(
    "name",
    [
        "torch.hub.load",
        "torch.load",
        "torch.utils.collect_env.run",
        "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler",
        "lightning.pytorch.cli.LightningCLI",
        "anomalib.cli.AnomalibCLI",
        "anomalib.deploy.TorchInferencer",
        "zoo.command.ZooCLI",
        "zoo.cli.main",
    ],
)
def test_loaders_and_command_lines_are_no_part_of_a_recipe(name):
    for key in ("class_path", "lambd"):
        assert "no part of a model, its data or its training" in _refused({"a": {key: name}})


def test_a_function_takes_no_arguments_from_a_recipe():
    check_trusted({"lambd": "torch.relu"})
    assert "no part of" in _refused({"lambd": {"class_path": "torch.relu", "init_args": {}}})


@pytest.mark.usefixtures("stranger")
def test_packages_of_registered_methods_are_trusted_by_their_entry_point(monkeypatch):
    entry = EntryPoint("strange", "stranger : Method", "anomalib_zoo.methods")
    monkeypatch.setattr(trust.names, "entry_points", lambda group: [entry])
    check_trusted({"model": {"class_path": "stranger.Method"}})
    assert "'os'" in _refused({"model": {"class_path": "stranger.Method"}, "a": "os.system"})


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("data.yaml", "data.yaml"),
        ("data.json", "data.json"),
        ("data.txt", "data.txt"),
        ("sub/data.yaml", "data.yaml"),
        ("sub/deep/data.yaml", "deep/data.yaml"),
        ("sub/data.yaml", "sub/data.yaml"),
        ("sub/data.yaml", "./sub/../sub/data.yaml"),
    ],
)
def test_files_that_a_recipe_names_are_read_from_its_folder_and_from_ours(stranger, where, value):
    _write("class_path: stranger.Method\n", where)
    recipe = _write(f"model: ZooPatchcore\ndata: {value}\n", "sub/r.yaml")
    error = _refused(recipe)
    assert f"{Path(where).name}: 'class_path' names 'stranger.Method'" in error
    assert not stranger.exists()


def test_files_may_name_files_and_themselves(stranger):
    _write("a: b.yaml\n", "a.yaml")
    _write("a: [a.yaml, b.yaml, lines]\n", "b.yaml")
    check_trusted("a.yaml")
    _write("zoo.post.Quantile\nstranger.Method\n", "lines")
    assert "recipe lines: 'line 2' names" in _refused("a.yaml")
    url = Path("a.yaml").absolute().as_uri()
    assert "recipe lines" in _refused({"data": url})
    assert not stranger.exists()


@pytest.mark.usefixtures("stranger")
def test_what_is_beside_a_file_counts_where_the_interpreter_looks_there(monkeypatch):
    _write("", "beside/neighbour.py")
    recipe = _write("a: neighbour.run\n", "beside/r.yaml")
    check_trusted(recipe)
    _write("", "beside/test.py")
    _write("a: test.png\n", "beside/test.yaml")
    check_trusted("beside/test.yaml")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert "of package 'neighbour'" in _refused(recipe)
    assert "of package 'test'" in _refused("beside/test.yaml")


@pytest.mark.usefixtures("stranger")
def test_binary_and_unreadable_files_are_left_to_the_parser():
    Path("binary").write_bytes(bytes(range(256)) * 100)
    _write("a: [", "broken.yaml")
    check_trusted({"a": ["binary", "broken.yaml", "x" * 5000, "a\0b", "~nobody/x", "."]})


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "x.yaml"],
        ["--data=x.yaml"],
        ["-cx.yaml"],
        ["--config", "r.yaml"],
        ["--trainer.callbacks+=x.yaml"],
    ],
)
def test_files_on_the_command_line_are_checked(stranger, words):
    _write("class_path: stranger.Method\n", "x.yaml")
    _write("model: ZooPatchcore\ndata: x.yaml\n")
    with pytest.raises(ZooError, match=r"recipe x\.yaml: 'class_path' names"):
        check_words(["train", *words])
    assert not stranger.exists()


@pytest.mark.usefixtures("stranger")
def test_what_a_person_types_is_the_persons_own(monkeypatch):
    words = ["train", "--model", "stranger.Method", "--data", "{class_path: stranger.Method}"]
    check_words(words)
    path = _write("class_path: stranger.Method\n")
    monkeypatch.setenv("ZOO_TRAIN__CONFIG", str(path))
    check_words(words)
    monkeypatch.setenv("JSONARGPARSE_DEFAULT_ENV", "true")
    with pytest.raises(ZooError, match=r"r\.yaml: 'class_path' names"):
        check_words(words)


def test_trust_is_given_for_a_block_and_never_taken_back():
    source = {"model": "nowhere.Method"}
    _refused(source)
    with trusting(True):
        assert is_trusting()
        with trusting(False):
            check_trusted(source)
            check_words(["train"])
    with trusting(False):
        assert not is_trusting()
        _refused(source)


def test_nothing_heavy_is_imported_to_refuse(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("model:\n  class_path: stranger.Method\n  init_args: {a: torch.relu}\n")
    code = (
        "import sys\nfrom zoo.trust import check_trusted\nfrom zoo.errors import ZooError\n"
        f"try:\n    check_trusted({str(recipe)!r})\nexcept ZooError as error:\n    print(error)\n"
        "heavy = {'torch', 'anomalib', 'lightning', 'zoo_plugins'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'stranger.Method' of package 'stranger'" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAMBDA.format("stranger.run"), "names 'stranger.run' of package 'stranger'"),
        ("model: ZooPatchcore\ndata: more.txt\n", "recipe more.txt: 'class_path' names"),
        ("model: ZooPatchcore\ndata: memory://more.yaml\n", "memory://more.yaml"),
        (
            LAMBDA.format('{class_path: torch.utils.collect_env.run, init_args: {command: "%s"}}'),
            "no part of a model",
        ),
        ("model: !!python/object/apply:os.system ['%s']\n", "could not determine a constructor"),
        ("model: !!python/name:stranger.Method\n", "could not determine a constructor"),
    ],
)
def test_the_command_refuses_in_one_line_and_runs_nothing(stranger, text, says, capsys):
    _write("class_path: stranger.Method\n", "more.txt")
    with fsspec.open("memory://more.yaml", "w") as file:
        file.write("class_path: stranger.Method\n")
    recipe = _write(text.replace("%s", f"touch {stranger}"))
    assert main(["train", "--config", str(recipe)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not stranger.exists()


@pytest.mark.parametrize("words", [["train", "--trust"], ["--trust", "train"]])
def test_the_flag_trusts(stranger, words, capsys):
    recipe = _write(LAMBDA.format("stranger.run"))
    assert main([*words, "--config", str(recipe)]) == 1
    assert "no data given" in capsys.readouterr().err
    assert stranger.exists()
    assert not is_trusting()


def test_the_flag_is_in_the_help(capsys):
    assert main(["--help"]) == 0
    assert "\n  --trust " in capsys.readouterr().out
