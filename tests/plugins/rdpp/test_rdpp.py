"""RD++: its pseudo-anomalies, when it steps, and that it resumes."""

from types import SimpleNamespace

import pytest
import torch
from zoo_plugins.rdpp import ReverseDistillationPlusPlus
from zoo_plugins.rdpp.noise import NoiseBlocks

from zoo.data import MVTecAD2Layout
from zoo.runs.resume import ResumePoint
from zoo.runs.training import RunEngine, training_callbacks
from zoo.utils.seeding import apply_seed

SMALL = {"image_size": 64, "decoder_depths": (1, 1, 1), "visualizer": False}
ONES = torch.ones(3)


def fit(root, folder, resume=None, batch_size=1, epochs=2, **arguments):
    apply_seed(0)
    model = ReverseDistillationPlusPlus(**{**SMALL, **arguments})
    model.post_processor = None
    data = MVTecAD2Layout(root, "part", train_batch_size=batch_size, cache_mb=0, seed=0)
    settings = {"max_epochs": epochs, "check_val_every_n_epoch": 1000, "accelerator": "cpu"}
    engine = RunEngine(settings, folder, training_callbacks(lambda text: None, resume))
    ckpt_path = resume.found() if resume else None
    engine.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return model.eval(), engine.trainer


def test_a_block_of_noise_lies_within_the_image_and_nowhere_else():
    images = torch.zeros(50, 3, 256, 192)
    noisy = NoiseBlocks(1, ONES)(images)
    assert not images.any()
    for image in noisy:
        rows, columns = (image.abs().sum(0) > 0).nonzero().T
        height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
        assert 10 <= height <= 31  # of 256
        assert 10 <= width <= 23  # of 192
        assert rows.min() >= 1
        assert columns.min() >= 1
        assert 0.01 < image[image != 0].std() < 0.2


def corners(blocks):
    """Return the first nine columns of the first row of every block, in one channel."""
    cut = []
    for image in blocks(torch.zeros(8, 3, 128, 128)):
        rows, columns = (image.abs().sum(0) > 0).nonzero().T
        cut.append(image[0, rows.min(), columns.min() : columns.min() + 9])
    return torch.stack(cut)


def test_all_blocks_are_corners_of_one_pattern():
    pattern = corners(NoiseBlocks(1, ONES))
    assert torch.equal(pattern, pattern[:1].expand(8, 9))
    assert not torch.equal(pattern, corners(NoiseBlocks(2, ONES)))


def test_noise_is_scaled_as_the_images_are():
    torch.manual_seed(0)
    plain = NoiseBlocks(1, ONES)(torch.zeros(1, 3, 128, 128))
    torch.manual_seed(0)
    scaled = NoiseBlocks(1, torch.tensor([0.5, 0.25, 1.0]))(torch.zeros(1, 3, 128, 128))
    torch.testing.assert_close(scaled, plain * torch.tensor([2.0, 4.0, 1.0]).reshape(3, 1, 1))


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 4), (2, 2), (4, 2)])
def test_every_second_batch_of_an_epoch_makes_a_step_and_a_single_one_too(
    mini, tmp_path, batch_size, steps
):
    _, trainer = fit(mini, tmp_path, batch_size=batch_size)
    assert trainer.global_step == steps


@pytest.mark.slow
def test_an_interrupted_training_goes_on_with_the_same_noise(mini, tmp_path, monkeypatch):
    whole, _ = fit(mini, tmp_path / "whole")
    real = ReverseDistillationPlusPlus.training_step
    batches = []

    def failing(self, batch, batch_idx):
        batches.append(batch_idx)
        if len(batches) == 6:
            raise RuntimeError("interrupted")
        return real(self, batch, batch_idx)

    resume = ResumePoint(tmp_path / "state", "key")
    monkeypatch.setattr("zoo.runs.resume.BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("zoo.runs.resume.SAVING_SHARE", 1e9)
    with monkeypatch.context() as patch:
        patch.setattr(ReverseDistillationPlusPlus, "training_step", failing)
        with pytest.raises(RuntimeError, match="interrupted"):
            fit(mini, tmp_path / "broken", resume)
    resumed, trainer = fit(mini, tmp_path / "broken", resume)
    assert trainer.global_step == 4
    state = whole.state_dict()
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_a_batch_has_all_terms(mini, tmp_path):
    model = ReverseDistillationPlusPlus(**SMALL)
    model.noise_blocks = NoiseBlocks(0, ONES)
    losses = model.losses(SimpleNamespace(image=torch.rand(2, 3, 64, 64)))
    assert set(losses) == {"distillation", "projection", "reconstruction", "contrast", "ssot"}
    assert losses["ssot"] == 0
    loss = losses["distillation"] + losses["projection"]
    loss.backward()
    used = [*model.model.projections.parameters(), *model.model.decoder.parameters()]
    assert all(p.grad is not None for p in used)
    assert all(p.grad is None for p in model.model.teacher.parameters())
