"""Anomalib's verbs through `zoo`: methods known by name, the seed applied, errors of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from zoo.cli import main

MODEL = ["--model", "ZooPatchcore", "--model.weights", "random", "--model.image_size", "64"]
SMALL = [*MODEL, "--model.coreset_sampling_ratio", "0.1"]


@pytest.fixture
def data(mini) -> list[str]:
    root = ["--data.root", str(mini), "--data.category", "part"]
    return ["--data", "MVTecAD2Layout", *root]


@pytest.mark.slow
def test_train_writes_a_run_folder_whose_config_replays(data, tmp_path, capsys):
    out = tmp_path / "runs"
    assert main(["train", *SMALL, *data, "--default_root_dir", str(out)]) == 0
    folder = out / "ZooPatchcore" / "part" / "seed0"
    first = json.loads((folder / "metrics.json").read_text())
    assert first["splits"]["test_public"]["n_images"] == 4
    assert first["command"] == "zoo train --config config.yaml"
    config = folder / "config.yaml"
    assert yaml.safe_load(config.read_text())["seed_everything"] == 0
    again = tmp_path / "again"
    assert main(["train", "--config", str(config), "--default_root_dir", str(again)]) == 0
    second = json.loads(next(again.rglob("metrics.json")).read_text())
    assert first["splits"] == second["splits"]
    printed = capsys.readouterr().out
    assert "public SegF1" in printed
    assert "(Adaptive(q=0.999, " in printed
    assert "min_area_px=10), 3 normal images of validation" in printed


@pytest.mark.slow
def test_the_seed_is_applied_and_the_applied_value_written(data, tmp_path, cheap_runs):
    draws = []
    cheap_runs.before = lambda planned, folder: draws.append((planned.build(), torch.rand(1))[1])
    for seed in ("7", "7", "8"):
        words = ["train", *SMALL, *data, "--seed_everything", seed]
        assert main([*words, "--default_root_dir", str(tmp_path)]) == 0
        config = tmp_path / "ZooPatchcore" / "part" / f"seed{seed}" / "config.yaml"
        assert yaml.safe_load(config.read_text())["seed_everything"] == int(seed)
    assert draws[0] == draws[1] != draws[2]
    words = ["train", *SMALL, *data, "--seed_everything", "true"]
    assert main([*words, "--default_root_dir", str(tmp_path / "drawn")]) == 0
    [config] = (tmp_path / "drawn").rglob("config.yaml")
    assert yaml.safe_load(config.read_text())["seed_everything"] > 1
    assert config.parent.name == f"seed{yaml.safe_load(config.read_text())['seed_everything']}"


@pytest.mark.slow
def test_fit_test_and_predict_keep_anomalibs_flags(data, tmp_path, capsys):
    root = ["--default_root_dir", str(tmp_path / "out")]
    assert main(["anomalib", "fit", *SMALL, *data, *root]) == 0
    [checkpoint] = (tmp_path / "out").rglob("*.ckpt")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    for verb in (["validate"], ["test"], ["anomalib", "predict"]):
        words = [*verb, *SMALL, *data, *root, "--ckpt_path", str(checkpoint)]
        assert main(words) == 0
    printed = capsys.readouterr().out
    for name in ("image_auroc", "pixel_auroc_model_size", "segf1_model_size"):
        assert name in printed


def test_train_goes_on_from_a_checkpoint(data, tmp_path, monkeypatch):
    from zoo.runs.training import RunEngine

    asked = []

    def fit(self, model, datamodule, ckpt_path):
        asked.append(ckpt_path)
        raise KeyboardInterrupt

    monkeypatch.setattr(RunEngine, "fit", fit)
    root = ["--default_root_dir", str(tmp_path)]
    assert main(["train", *SMALL, *data, *root, "--ckpt_path", "before.ckpt"]) == 130
    assert [str(path) for path in asked] == ["before.ckpt"]


def test_predictions_are_not_kept_in_memory(data):
    from zoo.cli.anomalib import VerbCLI

    assert VerbCLI(["predict", *SMALL, *data]).settings["return_predictions"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["anomalib", "exprot"], "anomalib has no verb 'exprot'; did you mean 'export'?"),
        (["anomalib", "bench"], "anomalib has no verb 'bench'"),
        (["fit", *MODEL], "the following arguments are required: "),
    ],
)
def test_verbs_of_one_name_are_told_apart(words, says, capsys):
    assert main(words) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_recipe_is_known_by_its_name(data, capsys):
    words = ["train", "--config", "patchcore/embedded", *data, "--print_config"]
    with pytest.raises(SystemExit):
        main(words)
    assert "ZooPatchcore" in capsys.readouterr().out


def _recipe(folder: Path, text: str) -> list[str]:
    path = folder / "r.yaml"
    path.write_text(text)
    return ["--config", str(path)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--model", "ZooPatchcor"], "unknown class 'ZooPatchcor'; did you mean 'ZooPatchcore'?"),
        (
            [*MODEL, "--model.image_sizee", "3"],
            "no option 'image_sizee'; did you mean 'image_size'",
        ),
        ([*MODEL, "--model.num_neighbors", "ten"], "model.num_neighbors: expected int, got 'ten'"),
        ([*MODEL, "--model.layers", "[nowhere]"], "has no layer nowhere; it has blocks"),
        ([*MODEL, "--model.backbone", "resnet118"], "did you mean 'resnet18'"),
        ([*MODEL, "--data.roott", "x"], "no option 'roott'; did you mean 'root'"),
        ([*MODEL, "--data.test_split", "test_pubic"], "did you mean 'test_public'"),
        ([*MODEL, "--trainer.acelerator", "cpu"], "did you mean 'trainer.accelerator'"),
        ([], "no model given"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(data, change, says, capsys):
    assert main(["train", *data, *change]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "modl:\n  class_path: ZooPatchcore\n",
            "unknown key 'modl.class_path'; did you mean 'model'",
        ),
        (
            "model:\n  class_path: ZooPatchcore\n  init_args:\n    backbon: x\n",
            "no option 'backbon'; did you mean 'backbone'",
        ),
        (
            "model:\n  class_path: ZooPatchcore\n  init_args:\n    post_processor:\n"
            "      class_path: BlobPostProcessor\n      init_args:\n        rule:\n"
            "          class_path: Quantil\n",
            "model.post_processor.rule: unknown class 'Quantil'; did you mean 'Quantile'",
        ),
    ],
)
def test_mistakes_in_a_recipe_are_one_line(data, tmp_path, text, says, capsys):
    assert main(["train", *data, *_recipe(tmp_path, text)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_train_without_data_says_what_to_add(capsys):
    assert main(["train", *MODEL]) == 1
    assert "--data.root DIR" in capsys.readouterr().err
