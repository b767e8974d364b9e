"""SuperAD against its references: same numbers in, same numbers out.

References: Summerdayhurricane/SuperAD at cbe222a7 (Apache-2.0) and facebookresearch/dinov2 at
b8931f7b (Apache-2.0) were run once on numbers of seeded generators; slices of what they said stand
here. SuperADD is CC BY-NC: its description is written out once more, in numpy.
"""

import zlib

import cv2
import numpy as np
import pytest
import torch
from anomalib.data import InferenceBatch
from torch import nn
from zoo_plugins.superad.selection import chosen_references, thinned
from zoo_plugins.superad.tokens import TokenBackbone
from zoo_plugins.superad.torch_model import BankSettings, SuperADModel


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def _fill(network):
    """Fill a network from seeds that follow from the names of its parameters."""
    for name, parameter in network.named_parameters():
        scale = name.endswith(("norm1.weight", "norm2.weight", "norm.weight", "gamma"))
        noise = torch.randn(parameter.shape, generator=_generator(zlib.crc32(name.encode())))
        parameter.data.copy_(float(scale) + 0.05 * noise)


def test_reference_images_are_superads():
    descriptions = torch.randn(40, 1024, generator=_generator(0))
    expected = [5, 25, 0, 1, 36, 31, 6, 13, 11, 4, 16, 38, 17, 10, 35, 23]
    assert chosen_references(descriptions, 16).tolist() == expected


# Blocks 1 and 3, first four channels at places (0, 0) and (20, 30) of the grid, by image size.
TOKENS = {
    (518, 518): {
        False: [
            [-1.45578, 1.43987, -0.58049, -0.00309, -1.53213, -0.15857, -2.86675, -0.43213],
            [-0.27081, 1.39126, -1.26738, -0.83891, -2.83031, -0.99436, -2.18294, 0.26021],
        ],
        True: [
            [-0.59709, 0.68786, -0.25015, -0.07709, -0.58015, -0.03382, -1.22357, -0.23144],
            [-0.01915, 0.52026, -0.40884, -0.35146, -0.91061, -0.37275, -0.74459, -0.00761],
        ],
    },
    (672, 798): {  # another grid than that of the pretraining
        False: [
            [-2.08729, 5.15126, -0.03728, -2.46335, -0.74014, -0.78699, -0.00939, 0.82727],
            [-0.6121, 3.577, 2.89833, -4.40352, -0.12313, -0.65623, 2.14141, 0.14618],
        ],
        True: [
            [-0.88172, 2.5854, 0.03101, -1.20542, -0.3102, -0.41342, 0.00104, 0.32541],
            [-0.11225, 1.30271, 1.02393, -1.53236, 0.03446, -0.22769, 0.81013, -0.00241],
        ],
    },
}


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("size", TOKENS)
@pytest.mark.parametrize("is_fixed", [False, True])
def test_tokens_are_those_of_the_original_dinov2(norm, size, is_fixed):
    names = ["blocks.1", "blocks.3"]
    backbone = TokenBackbone("vit_small_patch14_dinov2", "random", names, final_norm=norm)
    _fill(backbone.network)
    image = torch.randn(1, 3, *size, generator=_generator(1))
    with torch.inference_mode():
        maps = (backbone.for_size(size) if is_fixed else backbone)(image)  # as it is exported
    for tokens, numbers in zip(maps, TOKENS[size][norm], strict=True):
        assert tokens.shape == (1, 384, size[0] // 14, size[1] // 14)
        found = torch.cat([tokens[0, :4, 0, 0], tokens[0, :4, 20, 30]])
        torch.testing.assert_close(found, torch.tensor(numbers), rtol=0, atol=1e-4)


class _Given(nn.Module):
    """Stands for a backbone: returns given tokens."""

    def __init__(self, *maps):
        super().__init__()
        self.maps, self.n_layers = maps, len(maps)

    def forward(self, images):
        return [each.expand(len(images), -1, -1, -1) for each in self.maps]


def _model(maps, entries, **settings):
    model = SuperADModel(_Given(*maps), BankSettings(**settings))
    for bank, each in zip(model.banks, entries, strict=True):
        bank.collect(each.T[None, :, :, None])
        bank.fit()
    return model


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_maps_are_those_of_the_papers(distance):
    """SuperAD: 1 - cosine to the nearest entry; SuperADD: distance / channels; mean of layers."""
    generator = _generator(2)
    maps = [torch.randn(1, 64, 12, 14, generator=generator) for _ in range(4)]
    entries = [torch.randn(500, 64, generator=generator) for _ in range(4)]
    said = _model(maps, entries, distance=distance)(torch.zeros(1, 3, 168, 196))
    layers = []
    for tokens, bank in zip(maps, entries, strict=True):
        rows = tokens[0].flatten(1).T.double().numpy()
        others = bank.double().numpy()
        if distance == "cosine":
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            others = others / np.linalg.norm(others, axis=1, keepdims=True)
            nearest = (1 - rows @ others.T).min(1)
        else:
            nearest = np.linalg.norm(rows[:, None] - others, axis=2).min(1) / 64
        layers.append(cv2.resize(nearest.reshape(12, 14), (196, 168)))
    expected = np.mean(layers, axis=0)
    np.testing.assert_allclose(said.anomaly_map[0, 0], expected, rtol=0, atol=1e-6)
    top = np.sort(expected, axis=None)[-int(0.01 * expected.size) :]
    assert float(said.pred_score) == pytest.approx(top.mean(), abs=1e-6)


def _thinned_as_described(features, n_keep, n_rounds, draws):
    """SuperADD's rounds, written from its description."""
    stays = np.zeros(len(features), bool)
    for positions, uniforms in draws:
        subset = np.flatnonzero(~stays)[positions]
        points = features[subset]
        distances = np.linalg.norm(points[:, None] - points, axis=2)
        neighbours = np.sort(distances, axis=1)[:, :100]
        radius = neighbours.mean() / 10
        kept = np.ones(len(subset), bool)
        while kept.sum() > n_keep // n_rounds:
            kept = uniforms < 1 / (1 + (neighbours < radius).sum(axis=1))
            radius *= 1.1
        stays[subset[kept]] = True
    return stays


def test_kept_tokens_are_superadds():
    random = np.random.default_rng(3)
    features = np.concatenate([random.normal(size=(1000, 16)), random.normal(size=(1000, 16)) / 50])
    drawn, n_keep, n_rounds = [], 200, 10

    def draw(n_left, n_wanted):
        positions = random.permutation(n_left)[:n_wanted]
        drawn.append((positions, random.random(n_wanted)))
        return torch.from_numpy(positions), torch.from_numpy(drawn[-1][1])

    kept = thinned(torch.from_numpy(features).float(), n_keep, n_rounds=n_rounds, draw=draw)
    rounds, rest = drawn[:n_rounds], drawn[n_rounds:]
    expected = _thinned_as_described(features, n_keep, n_rounds, rounds)
    for positions, _ in rest:  # what was missing is drawn at random
        expected[np.flatnonzero(~expected)[positions]] = True
    assert len(kept) == n_keep
    assert kept.tolist() == np.flatnonzero(expected).tolist()
    assert (kept < 1000).float().mean() > 0.6  # the crowded half gives way


def test_the_model_returns_what_anomalib_expects():
    said = _model([torch.randn(1, 8, 2, 2)], [torch.randn(5, 8)])(torch.zeros(3, 3, 28, 28))
    assert isinstance(said, InferenceBatch)
    assert said.anomaly_map.shape == (3, 1, 28, 28)
    assert said.pred_score.shape == (3,)
