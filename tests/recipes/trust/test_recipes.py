"""Trust: what a recipe of a stranger names, reads or writes is refused before any of it runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import fsspec
import pytest

from zoo.cli import main
from zoo.cli.train import parse
from zoo.recipes.experiment import load
from zoo.recipes.files import find_recipe, recipe_names
from zoo.recipes.language import import_methods
from zoo.recipes.trust import allowed, check_recipe, is_trusting, trusting
from zoo.recipes.trust.allowed import Refused, resolve
from zoo.recipes.trust.parser import names_in
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

MODEL = "model:\n  class_path: ZooPatchcore\n  init_args:\n    weights: random\n"
TRANSFORM = (
    MODEL + "    pre_processor:\n      class_path: anomalib.pre_processing.PreProcessor\n"
    "      init_args:\n        transform:\n"
    "          class_path: torchvision.transforms.v2.Compose\n"
    "          init_args:\n            transforms: [{}]\n"
)
DATA = {"class_path": "MVTecAD2Layout", "init_args": {"root": "data", "category": "part"}}
# The parser's own YAML takes `._` for a broken number.
ENCODER = (
    MODEL + "    pre_processor:\n      class_path: torch.nn.{}\n      init_args:\n"
    '        custom_encoder: {{class_path: subprocess.Popen, init_args: {{args: "touch owned", '
    "shell: true}}}}\nnote: ._\n"
)
LOGGER = "trainer:\n  logger:\n    class_path: lightning.pytorch.loggers.CSVLogger\n"
LOGGER += "    init_args: {save_dir: elsewhere, version: ''}\n"
PROFILER = "trainer:\n  profiler:\n    class_path: lightning.pytorch.profilers.SimpleProfiler\n"
PROFILER += "    init_args: {dirpath: elsewhere, filename: x}\n"
PARTS = [
    "anomalib.data.Folder",
    "anomalib.data.MVTecAD",
    "anomalib.models.Padim",
    "anomalib.metrics.AUROC",
    "anomalib.metrics.Evaluator",
    "anomalib.post_processing.PostProcessor",
    "anomalib.pre_processing.PreProcessor",
    "anomalib.visualization.ImageVisualizer",
    "kornia.augmentation.RandomAffine",
    "lightning.pytorch.callbacks.EarlyStopping",
    "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
    "torch.float32",
    "torch.nn.Linear",
    "torch.nn.modules.loss.MSELoss",
    "torch.optim.AdamW",
    "torch.optim.lr_scheduler.StepLR",
    "torchvision.transforms.v2.Compose",
    "zoo.data.MVTecAD2Layout",
    "zoo.data.relight.Relight",
    "zoo.methods.evaluator.RawEvaluator",
    "zoo.methods.BlobPostProcessor",
    "zoo.postprocess.Quantile",
    "zoo.postprocess.rules.levels.Quantile",
    "zoo_plugins.patchcore.ZooPatchcore",
    "zoo_plugins.patchcore.lightning_model.ZooPatchcore",
]
NO_PARTS = [
    "anomalib.cli.AnomalibCLI",
    "anomalib.deploy.TorchInferencer",
    "anomalib.loggers.AnomalibTensorBoardLogger",
    "anomalib.models.EfficientAd",  # fetches images into a folder of the recipe's choice
    "anomalib.models.VlmAd",  # asks a server
    "lightning.pytorch.callbacks.LambdaCallback",
    "lightning.pytorch.callbacks.ModelCheckpoint",
    "lightning.pytorch.cli.LightningCLI",
    "lightning.pytorch.loggers.CSVLogger",
    "lightning.pytorch.profilers.SimpleProfiler",
    "torch.load",
    "torch.nn.functional.relu",
    "torch.nn.Transformer",
    "torch.optim.lr_scheduler.LambdaLR",
    "torch.relu",
    "torchvision.datasets.FakeData",
    "torchvision.transforms.v2.Lambda",
    "zoo.cli.main",
    "zoo.recipes.experiment.Path",
    "zoo.recipes.experiment.Experiment",
    "zoo.runs.resume.KeepState",
]
STRANGE = ["os.system", "subprocess.Popen", "builtins.exec", "unittest.__main__.png", "a.b.c"]


def _write(text: str, name: str = "r.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _error(words: list[str], capsys) -> str:
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module", autouse=True)
def _methods():
    import_methods()


@pytest.mark.parametrize("name", PARTS)
def test_what_recipes_are_made_of_passes(name):
    check_recipe({"a": {"class_path": name}}, "r.yaml")
    assert resolve(name).__name__ == name.rpartition(".")[2] if name[6:11] != "float" else True


@pytest.mark.parametrize("name", NO_PARTS)
def test_what_runs_writes_fetches_or_takes_functions_is_no_part(name):
    __import__(name.rpartition(".")[0])  # so that it is not refused for want of being loaded
    with pytest.raises(ZooError, match=f"recipe r.yaml: 'a.class_path' names '{name}', which is n"):
        check_recipe({"a": {"class_path": name}}, "r.yaml")


@pytest.mark.parametrize("name", STRANGE)
def test_other_packages_are_refused_by_name(name):
    top = name.partition(".")[0]
    with pytest.raises(Refused, match=f"'{name}' of package '{top}', which is neither registered"):
        resolve(name)


@pytest.mark.parametrize("name", ["torch.os.system", "torch.nn.Nowhere", "torch.hub.os.system"])
def test_what_is_not_there_under_a_known_name_is_not_looked_for(name):
    before = set(sys.modules)
    with pytest.raises(AttributeError, match=f"there is no '{name}'"):
        resolve(name)
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_pass(name):
    check_recipe(read_yaml(find_recipe(name).path), name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model:\n  class_path: stranger.Method\n", "'model.class_path' names 'stranger.Method'"),
        ("model: stranger.Method\n", "'model' names"),
        ("model.class_path: stranger.Method\n", "'model.class_path' names"),
        ("a:\n  b:\n  - {class_path: stranger.Method}\n", "'a.b[0].class_path' names"),
        ('{"model": {"class_path": "stranger.Method"}}', "'model.class_path' names"),
        ("a: &a {class_path: stranger.Method}\nb: [*a]\n", "anchors and aliases"),
        ("model: '{class_path: stranger.Method}'\n", "names 'stranger.Method'"),
        (TRANSFORM.format("stranger.run"), "names 'stranger.run' of package 'stranger'"),
        (TRANSFORM.format("unittest.__main__.png"), "names 'unittest.__main__.png'"),
        (TRANSFORM.format("torch.nn.functional.relu"), "names 'torch.nn.functional.relu'"),
        (TRANSFORM.format("torch.os.system"), "there is no 'torch.os.system'"),
        (ENCODER.format("Transformer"), "names 'torch.nn.Transformer'"),
        (ENCODER.format("Sequential"), "names 'subprocess.Popen'"),
        (MODEL + LOGGER, "names 'lightning.pytorch.loggers.CSVLogger'"),
        (MODEL + "trainer: {logger: CSVLogger}\n", "names 'lightning.pytorch.loggers.CSVLogger'"),
        (MODEL + PROFILER, "names 'lightning.pytorch.profilers.SimpleProfiler'"),
        (MODEL + "default_root_dir: /elsewhere\n", "'default_root_dir' says where to write"),
        (MODEL + "trainer: {default_root_dir: ../x}\n", "says where to write, '../x'"),
        (MODEL + "a: {output_dir: x}\n", "'a.output_dir' says where to write"),
        (MODEL.replace("ZooPatchcore", "anomalib.models.EfficientAd"), "EfficientAd', which"),
        (MODEL + "    backbone: hf-hub:somebody/model\n", "is an address, 'hf-hub:somebody/model'"),
        (MODEL + "    backbone: local-dir:x\n", "is an address"),
        (MODEL + "data: memory://more.yaml\n", "'data' is an address, 'memory://more.yaml'"),
        ("model: ZooPatchcore\ndata: more.yaml\n", "recipe more.yaml: 'class_path' names"),
        ("model: ZooPatchcore\ndata: sub/../more.yaml\n", "more.yaml: 'class_path' names"),
        ("model: !!python/object/apply:os.system [ls]\n", "the tag"),
        ("model: !!python/name:stranger.Method\n", "the tag"),
        ("a: &a [" + "x, " * 9 + "]\nb: " + "[*a, " * 30, "not valid YAML"),
        ("model: [\n", "not valid YAML"),
    ],
)
def test_the_command_refuses_in_one_line_and_runs_nothing(stranger, text, says, capsys):
    _write("class_path: stranger.Method\n", "more.yaml")
    Path("sub").mkdir()
    with fsspec.open("memory://more.yaml", "w") as file:
        file.write("class_path: stranger.Method\n")
    before = sorted(Path().rglob("*"))
    path = _write(text)
    assert says in _error(["train", "--config", str(path)], capsys)
    assert sorted(Path().rglob("*")) == sorted([*before, path])
    assert not stranger.exists()
    assert not {"stranger", "outer", "unittest.__main__"} & set(sys.modules)


def test_a_grid_refuses_as_well(stranger, mini, capsys):
    recipe = _write(ENCODER.format("Sequential") + "data: {class_path: zoo.data.MVTecAD2Layout}\n")
    assert main(["bench", str(recipe), "--data.root", str(mini), "--out", "runs"]) == 1
    assert "names 'subprocess.Popen'" in capsys.readouterr().err
    assert not Path("owned").exists()
    assert not stranger.exists()


@pytest.mark.slow
def test_an_encoding_that_is_not_the_locales_hides_nothing(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("# ö 日本\n" + ENCODER.format("Sequential"), encoding="utf-8")
    code = "import sys; from zoo.cli import main; sys.exit(main(['train', '--config', 'r.yaml']))"
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path), **environment},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert b"names 'subprocess.Popen'" in done.stderr
    assert not (tmp_path / "owned").exists()


def test_another_encoding_is_named(tmp_path, capsys):
    path = tmp_path / "my_recipe.yaml"
    path.write_bytes(ENCODER.encode("utf-16"))
    error = _error(["train", "--config", str(path)], capsys)
    assert "my_recipe.yaml is UTF-16 or UTF-32: save it as UTF-8" in error


def test_an_error_text_names_nothing_that_is_then_imported(stranger, capsys):
    said = "Problem with given class_path 'stranger.Method': Option 'x'"
    _error(["train", "--config", str(_write(f'{MODEL}    fusion: "{said}"\n'))], capsys)
    assert not stranger.exists()


def test_data_of_a_recipe_is_used_as_it_lies(tmp_path, no_network):
    text = (
        f"{MODEL}data: {{class_path: anomalib.data.MVTecAD, init_args: {{root: {tmp_path}/x}}}}\n"
    )
    path = tmp_path / "r.yaml"
    path.write_text(text)
    load(path, object_name="part").build_data().prepare_data()
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("stranger")
def test_packages_of_registered_methods_are_trusted_by_their_entry_point(monkeypatch):
    import stranger as module
    from torch import nn

    module.Part = type("Part", (nn.Module,), {"__module__": "stranger"})
    with pytest.raises(Refused):
        resolve("stranger.Part")
    entry = EntryPoint("strange", "stranger : Method", "anomalib_zoo.methods")
    monkeypatch.setattr(allowed, "entry_points", lambda group: [entry])
    monkeypatch.setattr(sys, "path", [*sys.path, "elsewhere"])  # entries are read once per path
    assert resolve("stranger.Part") is module.Part
    with pytest.raises(Refused, match="none of the parts"):
        resolve("stranger.run")
    with pytest.raises(Refused, match="'os'"):
        resolve("os.system")


def test_what_a_person_types_is_the_persons_own(stranger, capsys):
    words = ["--config", str(_write(MODEL))]
    overrides = {"model.pre_processor": "stranger.Method"}
    with pytest.raises(ZooError, match=r"names 'stranger\.Method' of package"):
        load("r.yaml", data=DATA, overrides=overrides)
    assert not stranger.exists()
    with pytest.raises(ZooError):  # it is no module of torch
        load("r.yaml", data=DATA, overrides=overrides, typed=["stranger.Method"])
    assert stranger.exists()
    stranger.unlink()
    sys.modules.pop("stranger")
    _error(["train", *words, "--model.pre_processor", "stranger.Method"], capsys)
    assert stranger.exists()
    settings, typed = parse([*words, "--data", "Visa"])
    assert settings["data"].class_path == "anomalib.data.Visa"
    assert typed == {"Visa"}
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "x"]
    settings, _ = parse([*words, *logger])
    assert settings["trainer"].logger.class_path == "lightning.pytorch.loggers.CSVLogger"


def test_typed_names_are_values_and_folders_are_none():
    words = ["--model=a.B", "--data", "{class_path: c.D, x: [e.F]}", "--data.root", "os.system"]
    words += ["--config", "subprocess.Popen", "--data.category=builtins.exec", "a b", "[", "g/h.i"]
    assert names_in(words) == {"a.B", "c.D", "e.F"}


@pytest.mark.parametrize(
    "words", [["--data", "x.yaml"], ["--data=x.yaml"], ["-cx.yaml"], ["--trainer.callbacks=x.yaml"]]
)
def test_files_on_the_command_line_are_checked(stranger, words, capsys):
    _write("class_path: stranger.Method\n", "x.yaml")
    error = _error(["train", "--config", str(_write(MODEL)), *words], capsys)
    assert "recipe x.yaml: 'class_path' names 'stranger.Method'" in error
    assert not stranger.exists()


def test_the_environment_opens_no_other_door(stranger, monkeypatch, capsys):
    monkeypatch.setenv("JSONARGPARSE_DEFAULT_ENV", "true")
    monkeypatch.setenv("ZOO_TRAIN__CONFIG", str(_write("model: stranger.Method\n")))
    monkeypatch.setenv("PYTEST_TRAIN__CONFIG", "r.yaml")
    main(["train", "--config", str(_write(MODEL, "m.yaml"))])
    assert not stranger.exists()


def test_trust_is_given_for_a_block_and_never_taken_back():
    data = {"model": "nowhere.Method"}
    with trusting(True):
        assert is_trusting()
        with trusting(False):
            check_recipe(data, "r.yaml")
    with trusting(False):
        assert not is_trusting()
        with pytest.raises(ZooError, match="nowhere"):
            check_recipe(data, "r.yaml")


@pytest.mark.parametrize("words", [["train", "--trust"], ["--trust", "train"]])
def test_the_flag_trusts(stranger, words, capsys):
    recipe = _write(TRANSFORM.format("stranger.run"))
    assert main([*words, "--config", str(recipe)]) == 1
    assert "no data given" in capsys.readouterr().err
    assert stranger.exists()
    assert not is_trusting()


def test_the_flag_is_in_the_help(capsys):
    assert main(["--help"]) == 0
    assert "\n  --trust " in capsys.readouterr().out


def test_other_parsers_of_jsonargparse_work_as_ever():
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--a", type=type)
    parser.add_argument("--b", type=list[int])
    parsed = parser.parse_args(["--a", "subprocess.Popen", "--b", "[0x10, 1_0]"])
    assert parsed.a is subprocess.Popen
    assert parsed.b == [16, 10]
