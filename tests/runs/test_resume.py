"""The command that was killed in its training goes on when it is repeated, to the same numbers."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from anomalib.models import Stfpm
from small_recipes import STFPM
from zoo_plugins.patchcore import ZooPatchcore

from zoo.cli import main
from zoo.runs import resume as resume_module

# A stock model with augmented images: what is drawn at random must come again, too.
RECIPE = f"""{STFPM}data:
  class_path: zoo.data.MVTecAD2Layout
  init_args:
    train_batch_size: 3
    train_augmentations:
      class_path: torchvision.transforms.v2.ColorJitter
      init_args: {{brightness: 0.5}}
trainer:
  max_epochs: 3
  check_val_every_n_epoch: 1000
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(resume_module, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(resume_module, "SAVING_SHARE", 1e9)


def bench(recipe, root, out):
    words = ["bench", str(recipe), "--data.root", str(root), "--out", str(out)]
    return main([*words, "--splits", "test_public"])


def results(out):
    folder = out / "small" / "part" / "seed0"
    metrics = json.loads((folder / "metrics.json").read_text())
    return metrics["splits"], torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]


def interrupt_at(monkeypatch, step, error=KeyboardInterrupt):
    """Let the training fail in one of its steps, counted from 1."""
    real, steps = Stfpm.training_step, []

    def failing(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == step:
            raise error
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Stfpm, "training_step", failing)
    return steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory, write_object):
    """Return the data, and the results of a run that nothing interrupted."""
    root = tmp_path_factory.mktemp("whole")
    write_object(root / "data", "part")
    (root / "small.yaml").write_text(RECIPE, encoding="utf-8")
    assert bench(root / "small.yaml", root / "data", root / "runs") == 0
    return root / "data", results(root / "runs")


# Two batches an epoch: interrupted within an epoch, after one, and in the last step.
@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(
    "step", [2, *(pytest.param(step, marks=pytest.mark.slow) for step in (3, 6))]
)
def test_an_interrupted_run_ends_with_the_numbers_of_a_whole_one(
    recipe, whole, tmp_path, monkeypatch, step
):
    data, (splits, weights) = whole
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        assert bench(recipe, data, tmp_path / "runs") == 130
    state = tmp_path / "runs/small/part/seed0.training"
    assert (state / "last.ckpt").is_file()
    steps = interrupt_at(monkeypatch, None)
    assert bench(recipe, data, tmp_path / "runs") == 0
    assert len(steps) == 6 - (step - 1)  # nothing is done twice
    assert not state.exists()
    resumed_splits, resumed_weights = results(tmp_path / "runs")
    assert resumed_splits == splits
    for name, tensor in weights.items():
        torch.testing.assert_close(
            resumed_weights[name], tensor, rtol=0, atol=0, equal_nan=True, msg=name
        )


@pytest.mark.usefixtures("every_step")
@pytest.mark.slow
def test_what_fails_after_the_training_does_not_cost_the_training(
    recipe, mini, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("zoo.runs.fit.calibrate", lambda *args: 1 / 0)
        assert bench(recipe, mini, tmp_path / "runs") == 1
    steps = interrupt_at(monkeypatch, None)
    assert bench(recipe, mini, tmp_path / "runs") == 0
    assert not steps


@pytest.mark.usefixtures("every_step")
@pytest.mark.slow
def test_another_configuration_begins_anew(recipe, mini, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        assert bench(recipe, mini, tmp_path / "runs") == 130
    recipe.write_text(RECIPE.replace("brightness: 0.5", "brightness: 0.4"), encoding="utf-8")
    steps = interrupt_at(monkeypatch, None)
    assert bench(recipe, mini, tmp_path / "runs") == 0
    assert len(steps) == 6


@pytest.mark.usefixtures("every_step")
def test_a_loss_that_is_not_a_number_ends_it_and_the_last_good_state_is_kept(
    recipe, mini, tmp_path, monkeypatch, capsys
):
    real = Stfpm.training_step

    def diverging(self, *args, **kwargs):
        loss = real(self, *args, **kwargs)["loss"]
        return {"loss": loss * float("nan") if self.global_step == 3 else loss}

    monkeypatch.setattr(Stfpm, "training_step", diverging)
    assert bench(recipe, mini, tmp_path / "runs") == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed")]
    state = tmp_path / "runs/small/part/seed0.training/last.ckpt"
    assert "the loss is nan in epoch 2, batch 2" in line
    assert str(state) in line
    kept = torch.load(state, weights_only=True)
    assert kept["global_step"] == 3
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_a_short_training_leaves_nothing_behind(recipe, mini, tmp_path, monkeypatch):
    interrupt_at(monkeypatch, 4)
    assert bench(recipe, mini, tmp_path / "runs") == 130
    assert not list((tmp_path / "runs").glob("small/part/*"))


@pytest.mark.usefixtures("every_step")
def test_a_memory_bank_begins_anew(mini, tmp_path, monkeypatch):
    """What it gathered before the interruption would be missing."""
    bank = "model: {class_path: ZooPatchcore, init_args: {image_size: 64, weights: random}}\n"
    bank += "data: {class_path: zoo.data.MVTecAD2Layout, init_args: {train_batch_size: 1}}\n"
    (tmp_path / "small.yaml").write_text(bank)
    assert bench(tmp_path / "small.yaml", mini, tmp_path / "whole") == 0
    real, steps = ZooPatchcore.training_step, []

    def failing(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ZooPatchcore, "training_step", failing)
    assert bench(tmp_path / "small.yaml", mini, tmp_path / "runs") == 130
    assert not list((tmp_path / "runs").glob("small/part/*"))
    assert bench(tmp_path / "small.yaml", mini, tmp_path / "runs") == 0
    assert results(tmp_path / "runs")[0] == results(tmp_path / "whole")[0]


@pytest.mark.slow
def test_a_killed_process_goes_on(recipe, whole, tmp_path):
    """No handler runs after SIGKILL: what is on disk must do."""
    out = tmp_path / "runs"
    setup = (
        "from zoo.runs import resume; "
        "resume.BLOCK_SECONDS, resume.SAVING_SHARE = 0.0, 1e9; "
        "from anomalib.models import Stfpm; real = Stfpm.training_step; import time; "
        "Stfpm.training_step = lambda *a, **k: (time.sleep(1), real(*a, **k))[1]; "
        "from zoo.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", setup, "bench", str(recipe), "--data.root", str(whole[0])]
    words += ["--out", str(out), "--splits", "test_public"]
    process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "2"})
    state = out / "small/part/seed0.training/last.ckpt"
    deadline = time.monotonic() + 120
    while not state.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert state.is_file()
    assert bench(recipe, whole[0], out) == 0
    assert results(out)[0] == whole[1][0]
