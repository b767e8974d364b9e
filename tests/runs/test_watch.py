"""What watches over a training: progress, divergence, data read beforehand, precision."""

from types import SimpleNamespace

import pytest
import torch

from zoo.methods.method import ZooMethod
from zoo.methods.training import FitProgress, batches, loss_of
from zoo.runs.resume import is_finite
from zoo.runs.training import StopAtDivergence, learns_long, with_precision
from zoo.utils.errors import ZooError


def trainer(done=1, **facts):
    facts = {"max_epochs": 2, "max_steps": -1, "global_step": done, "optimizers": [1], **facts}
    return SimpleNamespace(
        fit_loop=SimpleNamespace(total_batch_idx=done - 1),
        num_training_batches=10,
        current_epoch=(done - 1) // 10,
        callbacks=[],
        **facts,
    )


def test_progress_says_step_loss_and_what_is_left():
    said, now = [], iter([0.0, 30.0])
    progress = FitProgress(said.append, clock=lambda: next(now))
    for done, loss in ((1, 4.0), (11, 2.0)):
        outputs = {"loss": torch.tensor(loss)}
        progress.on_train_batch_end(trainer(done), None, outputs, None, 0)
    assert said[0] == "fit: epoch 1, batch 1/20, loss 4"
    assert said[1] == "fit: epoch 2, batch 11/20, loss 3.9, about 27 s left"


def test_what_learns_nothing_has_no_loss():
    said = []
    progress = FitProgress(said.append)
    progress.on_train_batch_end(trainer(optimizers=[]), None, {"loss": torch.zeros(1)}, None, 0)
    assert said == ["fit: epoch 1, batch 1/20"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (4, 20)),
        ({"max_epochs": -1, "max_steps": 8}, (4, 8)),
        ({"max_epochs": 100, "max_steps": 8, "global_step": 2}, (4, 16)),  # two batches a step
        ({"max_epochs": -1}, (4, 4)),
    ],
)
def test_all_batches_of_a_training_are_counted(facts, expected):
    assert batches(trainer(4, **facts)) == expected


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_with_one_line(tmp_path, bad):
    kept = tmp_path / "last.ckpt"
    kept.touch()
    with pytest.raises(ZooError) as error:
        StopAtDivergence(kept).on_train_batch_end(
            trainer(13), None, {"loss": torch.tensor(bad)}, None, 2
        )
    text = str(error.value)
    assert f"the loss is {bad} in epoch 2, batch 3 (step 13)" in text
    assert str(kept) in text
    assert "\n" not in text


def test_losses_are_found_where_steps_return_them():
    assert loss_of(torch.tensor(2.0)) == loss_of({"loss": torch.tensor(2.0)}) == 2
    assert loss_of(None) is loss_of({}) is None
    module = torch.nn.Linear(1, 1)
    assert is_finite(module)
    module.bias.data.fill_(float("nan"))
    assert not is_finite(module)


def test_a_broken_image_of_any_split_is_found_before_the_first_step(mini):
    from zoo.data import MVTecAD2Layout

    data = MVTecAD2Layout(mini, "part", cache_mb=0)
    said = []
    data.check_images(["test_public"], said.append)
    assert said[-1] == "reading test_public 3/4"
    (mini / "part/test_public/bad/001_regular.png").write_bytes(b"no image")
    with pytest.raises(ZooError, match="001_regular"):
        data.check_images(["test_public"], said.append)


@pytest.mark.parametrize(
    ("model", "settings", "expected"),
    [
        ({"max_epochs": 1}, {}, False),
        ({}, {"max_epochs": 1}, False),
        ({}, {"max_epochs": 20}, True),
        ({}, {"max_steps": 100}, True),
    ],
)
def test_one_pass_is_not_long(model, settings, expected):
    assert learns_long(SimpleNamespace(trainer_arguments=model), settings) is expected


@pytest.mark.parametrize(
    ("has", "willing", "settings", "expected"),
    [
        (True, True, {}, "bf16-mixed"),
        (True, False, {}, None),
        (True, True, {"precision": "32"}, "32"),
        (True, True, {"accelerator": "cpu"}, None),
        (False, True, {}, None),
    ],
)
def test_half_precision_is_for_graphics_cards(monkeypatch, has, willing, settings, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
    model = type("Own", (ZooMethod,), {"mixed_precision": willing})()
    assert with_precision(settings, model).get("precision") == expected
