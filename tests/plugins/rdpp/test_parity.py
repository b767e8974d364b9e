"""RD++ against its reference, tientrandinh/Revisiting-Reverse-Distillation at the card's commit.

Weights and features are drawn from seeds; `expected.json` holds slices of what the reference makes
of them, its optimal transport term (geomloss) included, which is zero.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from zoo_plugins._distillation.networks import MirroredDecoder, OneClassBottleneck
from zoo_plugins.rdpp import ReverseDistillationPlusPlus
from zoo_plugins.rdpp.noise import octave_noise
from zoo_plugins.rdpp.torch_model import Projection, projection_losses

from zoo.testing.weights import fill_seeded

EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))
CHANNELS, STRIDES = (256, 512, 1024), (4, 8, 16)  # layers 1 to 3 of WideResNet-50-2


def features(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, c, 64 // s, 64 // s) for c, s in zip(CHANNELS, STRIDES, strict=True)]
    return [torch.randn(shape, generator=generator).relu() for shape in shapes]


def with_noise(clean, seed):
    return [0.9 * one + 0.1 * other for one, other in zip(clean, features(seed), strict=True)]


def sliced(tensor):
    flat = tensor.detach().flatten()
    return flat[:: max(1, flat.numel() // 12)][:12]


def projections():
    made = nn.ModuleList(Projection(channels) for channels in CHANNELS)
    fill_seeded(made, 4)
    return made


def test_the_projections_have_the_references_parameters():
    assert sum(p.numel() for p in projections().parameters()) == 15_486_912


def test_loss_terms_and_gradients_are_the_references():
    nets, clean = projections(), features(5)
    noisy = with_noise(clean, 6)
    projected = [net(layer) for net, layer in zip(nets, clean, strict=True)]
    projected_noisy = [net(layer) for net, layer in zip(nets, noisy, strict=True)]
    for ours, expected in zip(projected, EXPECTED["projected"], strict=True):
        torch.testing.assert_close(sliced(ours), torch.tensor(expected), rtol=1e-5, atol=1e-5)
    # So close to the projection that the contrast term is not zero.
    close = [p.detach() + 0.3 * layer for p, layer in zip(projected, clean, strict=True)]
    losses = projection_losses(close, projected_noisy, projected)
    for name in ("reconstruction", "contrast", "projection"):
        assert float(losses[name].detach()) == pytest.approx(EXPECTED[name], rel=1e-6)
    assert losses["ssot"] == 0
    losses["projection"].backward()
    gradients = {name: p.grad for name, p in nets.named_parameters()}
    for name, values in EXPECTED["projection_gradients"].items():
        # The reference's are those with its transport term.
        torch.testing.assert_close(sliced(gradients[name]), torch.tensor(values), rtol=0, atol=1e-9)


@pytest.fixture
def method(monkeypatch):
    """Return the module with the reference's shapes, which takes features for images."""
    method = ReverseDistillationPlusPlus(
        backbone="resnet10t", weights="random", layers=["layer1"], decoder_depths=[1]
    )
    method.model.bottleneck = OneClassBottleneck(CHANNELS, STRIDES)
    method.model.decoder = MirroredDecoder(CHANNELS, STRIDES)
    method.model.projections = projections()
    fill_seeded(method.model.bottleneck, 1)
    fill_seeded(method.model.decoder, 2)
    method.model.double()  # rounding in single precision grows with every step
    optimizer = method.configure_optimizers()
    for name, stand_in in {
        "_teacher_features": lambda batch: batch,
        "optimizers": lambda: optimizer,
        "manual_backward": lambda loss: loss.backward(),
        "log_dict": lambda *args, **kwargs: None,
    }.items():
        monkeypatch.setattr(method, name, stand_in)
    method._trainer = SimpleNamespace(num_training_batches=4)
    return method


@pytest.mark.slow
def test_two_steps_of_two_batches_are_the_references(method):
    method.model.train()
    for index in range(4):
        clean = [each.double() for each in features(10 + index)]
        noisy = with_noise(clean, 20 + index)
        outputs = method.training_step((clean, noisy), index)
        expected = EXPECTED["step_losses"][index]
        assert float(outputs["loss"]) == pytest.approx(expected, rel=1e-5)
    parameters = dict(method.model.named_parameters())
    for name, values in EXPECTED["stepped"].items():
        # Adam divides by the gradient's own size: where that is tiny, rounding is a part of a step.
        torch.testing.assert_close(
            sliced(parameters[name]), torch.tensor(values).double(), rtol=1e-4, atol=0.02 * 0.005
        )


def test_the_noise_is_the_references():
    noise = octave_noise(12345, (3, 31, 31))
    expected = np.reshape(EXPECTED["noise"], (3, 6, 6))
    np.testing.assert_allclose(noise[:, ::6, ::6], expected, rtol=0, atol=2e-4)
    assert noise[0, 0, 1] == pytest.approx(0.141514, abs=1e-6)
    assert noise[0, 1, 0] == pytest.approx(-0.400206, abs=1e-6)
    assert np.array_equal(octave_noise(12345, (3, 20, 31)), noise[:, :20])
