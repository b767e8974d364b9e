"""Reverse Distillation against its reference, hq-deng/RD4AD at the commit of the card.

Weights and features are drawn from seeds; `expected.json` holds slices of what the reference's
bottleneck, decoder, loss and map make of them. The map is compared with SciPy as well.
"""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from zoo_plugins._distillation.networks import MirroredDecoder, OneClassBottleneck
from zoo_plugins._distillation.torch_model import (
    CosineDistanceMap,
    distillation_loss,
)

from zoo.methods.weights import FrozenBackbone
from zoo.testing.weights import fill_seeded

EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))
CHANNELS, STRIDES = (256, 512, 1024), (4, 8, 16)  # layers 1 to 3 of WideResNet-50-2


def features(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, c, 128 // s, 128 // s) for c, s in zip(CHANNELS, STRIDES, strict=True)]
    return [torch.randn(shape, generator=generator).relu().double() for shape in shapes]


def sliced(tensor):
    flat = tensor.detach().flatten()
    return flat[:: max(1, flat.numel() // 12)][:12]


@pytest.fixture(scope="module")
def networks():
    bottleneck = OneClassBottleneck(CHANNELS, STRIDES)
    decoder = MirroredDecoder(CHANNELS, STRIDES)
    fill_seeded(bottleneck, 1)
    fill_seeded(decoder, 2)
    # Statistics of two small maps magnify rounding a thousandfold: single precision would tell
    # processors apart, not implementations.
    return torch.nn.ModuleDict({"bottleneck": bottleneck, "decoder": decoder}).double()


@pytest.fixture(scope="module")
def trained(networks):
    """Return teacher and student maps of one step in training, after its backward pass."""
    networks.eval()
    with torch.no_grad():
        decoded = networks["decoder"](networks["bottleneck"](features(3)))
    networks.train()
    rebuilt = networks["decoder"](networks["bottleneck"](features(3)))
    loss = distillation_loss(features(3), rebuilt)
    loss.backward()
    return decoded, rebuilt, loss


def test_parameter_counts_and_shapes_are_the_references():
    with torch.device("meta"):
        bottleneck = OneClassBottleneck(CHANNELS, STRIDES)
        decoder = MirroredDecoder(CHANNELS, STRIDES)
        maps = zip(CHANNELS, STRIDES, strict=True)
        code = bottleneck([torch.rand(1, c, 256 // s, 256 // s) for c, s in maps])
        shapes = [tuple(layer.shape) for layer in decoder(code)]
    assert sum(p.numel() for p in bottleneck.parameters()) == 67_277_824
    assert sum(p.numel() for p in decoder.parameters()) == 24_917_504
    assert code.shape == (1, 2048, 8, 8)
    assert shapes == [(1, 256, 64, 64), (1, 512, 32, 32), (1, 1024, 16, 16)]


def test_the_teacher_has_the_references_layers():
    with torch.device("meta"):
        teacher = FrozenBackbone(
            "wide_resnet50_2.tv_in1k", "random", ["layer1", "layer2", "layer3"]
        )
    assert (tuple(teacher.channels), tuple(teacher.strides)) == (CHANNELS, STRIDES)
    assert not any("layer4" in name for name, _ in teacher.named_parameters())


def test_the_student_rebuilds_what_the_references_does(trained):
    for ours, expected in zip(trained[0], EXPECTED["forward"], strict=True):
        torch.testing.assert_close(
            sliced(ours).float(), torch.tensor(expected), rtol=1e-5, atol=1e-5
        )


def test_loss_and_gradients_are_the_references(trained, networks):
    assert float(trained[2].detach()) == pytest.approx(EXPECTED["loss"], rel=1e-6)
    gradients = {name: p.grad for name, p in networks.named_parameters()}
    for name, values in EXPECTED["gradients"].items():
        largest = float(gradients[name].abs().max())
        expected = torch.tensor(values).double()
        torch.testing.assert_close(sliced(gradients[name]), expected, rtol=0, atol=1e-4 * largest)


def test_the_map_is_the_references_and_scipys(trained):
    teacher, student = features(3), [layer.detach() for layer in trained[1]]
    ours = CosineDistanceMap()(teacher, student, (128, 128))
    assert ours.shape == (2, 1, 128, 128)
    expected = torch.tensor(EXPECTED["map"]).reshape(6, 6)
    torch.testing.assert_close(ours[0, 0, ::25, ::25], expected, rtol=0, atol=1e-5)
    assert float(ours[0].max()) == pytest.approx(EXPECTED["map_max"], abs=1e-5)
    added = sum(
        F.interpolate(
            1 - F.cosine_similarity(one, other)[:, None], (128, 128), None, "bilinear", True
        )
        for one, other in zip(teacher, student, strict=True)
    )
    for index in range(2):
        blurred = torch.from_numpy(gaussian_filter(added[index, 0].numpy(), sigma=4))
        torch.testing.assert_close(ours[index, 0], blurred.float(), rtol=0, atol=1e-5)
