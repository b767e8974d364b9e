"""EfficientAD against its reference, nelson1425/EfficientAD at the commit of the card.

Weights and images are drawn from seeds; `expected.json` holds slices of what the reference makes of
them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from zoo_plugins.efficientad.home_made import PatchEmbedding, TeacherRecipe
from zoo_plugins.efficientad.torch_model import EfficientAdNetworks, combined, hardest

from zoo.testing.weights import fill_seeded

EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))


def images(seed):
    return torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(seed))


def sliced(tensor):
    flat = tensor.detach().flatten()
    return flat[:: max(1, flat.numel() // 12)][:12]


def close(ours, expected, atol=1e-6, rtol=1e-5):
    torch.testing.assert_close(sliced(ours), torch.tensor(expected), rtol=rtol, atol=atol)


def networks(size):
    made = EfficientAdNetworks(size)
    fill_seeded(made, 1)
    made.teacher_mean.copy_(torch.linspace(-0.5, 0.5, 384).reshape(1, -1, 1, 1))
    made.teacher_std.copy_(torch.linspace(0.5, 1.5, 384).reshape(1, -1, 1, 1))
    made.quantiles.copy_(torch.tensor([[1.0, 4.0], [0.5, 3.0]]))
    return made.eval()  # without dropout


@pytest.fixture(scope="module")
def small():
    return networks("small")


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("small", (2_694_144, 4_267_776)), ("medium", (8_031_488, 11_619_584))],
)
def test_the_networks_say_what_the_references_say(size, parameters):
    nets = networks(size)
    counts = tuple(sum(p.numel() for p in n.parameters()) for n in (nets.teacher, nets.student))
    assert counts == pytest.approx(parameters, rel=2e-3)
    with torch.no_grad():
        close(nets.teacher(images(2)), EXPECTED[size]["teacher"])
        close(nets.student(images(2)), EXPECTED[size]["student"])
        close(nets.autoencoder(images(2), (256, 256)), EXPECTED[size]["autoencoder"])


def test_losses_and_gradients_are_the_references(small):
    losses = small.losses(images(3), images(4), images(5))
    sum(losses.values()).backward()
    for name, expected in EXPECTED["losses"].items():
        assert float(losses[name].detach()) == pytest.approx(expected, rel=1e-5)
    gradients = {name: p.grad for name, p in small.named_parameters()}
    for name, values in EXPECTED["gradients"].items():
        largest = float(gradients[name].abs().max())
        close(gradients[name], values, atol=1e-4 * largest, rtol=0)
    assert all(gradients[name] is None for name in gradients if name.startswith("teacher"))


def test_the_hardest_elements_are_those_that_reach_the_quantile():
    distance = torch.rand(3, 8, 21, 20)
    found = hardest(distance)
    for flat, ours in zip(distance.flatten(1), found, strict=True):
        expected = flat[flat >= torch.quantile(flat, 0.999)]
        assert sorted(ours.tolist()) == sorted(expected.tolist())
    assert hardest(torch.rand(1, 384, 56, 56)).shape[1] == EXPECTED["n_hard"]


def test_maps_and_quantiles_are_the_references(small):
    with torch.no_grad():
        raw = small.raw_maps(images(3))
        prediction = small(images(3))
    for channel in range(2):
        close(raw[:, channel], EXPECTED["raw"][channel])
        found = np.quantile(raw[:, channel].numpy(), (0.9, 0.995))
        assert found == pytest.approx(EXPECTED["quantiles"][channel], rel=1e-5)
    scaled = combined(raw, small.quantiles)
    close(scaled, EXPECTED["combined"])
    # As the reference resizes to a native size, and to the input's.
    padded = F.pad(scaled, (4, 4, 4, 4))
    close(F.interpolate(padded, (300, 400), mode="bilinear"), EXPECTED["map"])
    close(prediction.anomaly_map, EXPECTED["map_256"])
    assert not padded[..., :4, :].any()
    assert prediction.pred_score == prediction.anomaly_map.max()


def test_one_batch_of_three_is_three_passes(small):
    together = torch.cat([images(3), images(4), images(5)])
    with torch.no_grad():
        alone = torch.cat([small.student(image[None]) for image in together])
        torch.testing.assert_close(small.student(together), alone, rtol=0, atol=1e-5)


def test_the_home_made_teachers_target_is_the_references_embedding(monkeypatch):
    generator = torch.Generator().manual_seed(7)
    layers = [torch.randn(1, 40, 64, 64, generator=generator)]
    layers.append(torch.randn(1, 112, 32, 32, generator=generator))
    embed = PatchEmbedding(TeacherRecipe(weights="random"))
    monkeypatch.setattr(embed.network, "forward", lambda images: layers)
    close(embed(torch.rand(1, 3, 512, 512)), EXPECTED["embedding"], atol=1e-5)
