"""Checkpoints and weights of strangers run nothing when they are read."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from zoo.cli import main
from zoo.recipes.trust import check_checkpoint
from zoo.utils.errors import ZooError

VERBS = [
    "train",
    "validate",
    "test",
    *(f"anomalib {verb}" for verb in ("fit", "predict", "export")),
]


class _Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


def _words(fitted, tmp_path: Path, verb: str) -> list[str]:
    model = ["--model", "ZooPatchcore", "--model.weights", "random", "--model.image_size", "64"]
    data = ["--data", "MVTecAD2Layout", "--data.root", str(fitted.root), "--data.category", "part"]
    data = ["--export_type", "torch"] if verb.endswith("export") else data
    return [*verb.split(), *model, *data, "--default_root_dir", str(tmp_path / "out")]


@pytest.mark.parametrize("verb", VERBS)
def test_a_checkpoint_runs_no_code(fitted, tmp_path, verb, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path = tmp_path / "strange.ckpt"
    torch.save({"state_dict": {}, "more": _Malicious(tmp_path / "marker")}, path)
    assert main([*_words(fitted, tmp_path, verb), "--ckpt_path", str(path)]) == 1
    error = capsys.readouterr().err
    assert f"{path} holds more than weights and plain values (it calls for " in error
    assert error.count("\n") == 1
    assert not (tmp_path / "marker").exists()
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_checkpoint_builds_nothing_that_it_names(fitted, stranger, tmp_path, capsys):
    path = tmp_path / "strange.ckpt"
    held = torch.load(fitted.checkpoint, weights_only=False)
    # Without thresholds of ours anomalib's own way of loading is taken.
    held.pop("anomalib_post_processor_config")
    held["hyper_parameters"]["_instantiator"] = "lightning.pytorch.cli.instantiate_module"
    held["hyper_parameters"]["pre_processor"] = {"class_path": "stranger.Method"}
    torch.save(held, path)
    words = [*_words(fitted, tmp_path, "anomalib export"), "--ckpt_path", str(path)]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "says how to build its model ('lightning.pytorch.cli.instantiate_module')" in error
    assert error.count("\n") == 1
    assert not stranger.exists()
    main([*words, "--trust"])
    assert stranger.exists()  # so the door is real


def test_weights_run_no_code(fitted, tmp_path, capsys):
    path = tmp_path / "strange.pth"
    torch.save({"a": _Malicious(tmp_path / "marker")}, path)
    words = _words(fitted, tmp_path, "train")
    words[words.index("random")] = str(path)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert f"weights {path} cannot be read" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "marker").exists()


def test_checkpoints_of_any_make_are_checked(fitted, tmp_path):
    check_checkpoint(fitted.checkpoint)
    check_checkpoint(tmp_path / "missing.ckpt")
    path = tmp_path / "other.ckpt"
    torch.save({"a": torch.ones(1)}, path, _use_new_zipfile_serialization=False)
    check_checkpoint(path)
    for protocol in (0, 2, pickle.HIGHEST_PROTOCOL):
        path.write_bytes(pickle.dumps({"a": _Malicious(tmp_path / "marker")}, protocol))
        with pytest.raises(ZooError, match="holds more than weights"):
            check_checkpoint(path)
    assert not (tmp_path / "marker").exists()
