"""Closed-form patch embeddings against the literal procedure: unfold, upsample, pool twice."""

import pytest
import torch
from torch.nn import functional

from zoo.methods.memory_bank.embedding import PatchEmbedding, PooledConcatenation
from zoo.utils.errors import ZooError


def _maps(channels, side, batch=2):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, count, -(-side // 2**i), side // 2**i + 1, generator=generator)
        for i, count in enumerate(channels)
    ]


def _literal(feature_maps, pretrain_dim, embedding_dim, patch_size=3):
    """Every step of the reference as its paper and code describe it."""
    size = feature_maps[0].shape[-2:]
    layers = []
    for feature_map in feature_maps:
        batch, channels, height, width = feature_map.shape
        patches = functional.unfold(feature_map, patch_size, padding=patch_size // 2)
        patches = patches.view(batch, channels * patch_size**2, height, width)
        patches = functional.interpolate(patches, size=size, mode="bilinear", align_corners=False)
        rows = patches.permute(0, 2, 3, 1).reshape(-1, 1, channels * patch_size**2)
        layers.append(functional.adaptive_avg_pool1d(rows, pretrain_dim).squeeze(1))
    rows = torch.stack(layers, dim=1).reshape(len(layers[0]), 1, -1)
    rows = functional.adaptive_avg_pool1d(rows, embedding_dim).squeeze(1)
    return rows.view(len(feature_maps[0]), *size, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("patch_size", [1, 3, 5])
@pytest.mark.parametrize(
    ("channels", "pretrain_dim", "embedding_dim"),
    [
        ((512, 1024), 1024, 1024),  # WideResNet-50-2, the published single model
        ((512, 1024), 1024, 384),  # the published ensemble
        ((512, 1792), 1024, 384),  # its DenseNet-201
        ((40, 112), 64, 50),  # averages reach over the seam of two layers
        ((24, 40, 112), 100, 64),  # three layers
        ((16,), 256, 300),  # more numbers than there are
    ],
)
def test_the_closed_form_is_the_literal_procedure(
    channels, pretrain_dim, embedding_dim, patch_size
):
    feature_maps = _maps(channels, side=9)
    embedding = PatchEmbedding(channels, pretrain_dim, embedding_dim, patch_size)(feature_maps)
    expected = _literal(feature_maps, pretrain_dim, embedding_dim, patch_size)
    torch.testing.assert_close(embedding, expected, rtol=0, atol=1e-6)


def test_the_published_filters_are_those_that_the_card_describes():
    first, second = PatchEmbedding((512, 1024)).filters
    kernel = torch.full((3, 3), 0.1)
    kernel[1, 1] = 0.2
    torch.testing.assert_close(first.kernel, kernel.expand(512, 1, 3, 3))
    torch.testing.assert_close(second.kernel, torch.full((512, 2, 3, 3), 1 / 18))


def test_filters_are_no_part_of_a_checkpoint():
    assert not PatchEmbedding((8, 16), 16, 16).state_dict()


def test_the_concatenation_pools_and_upsamples():
    feature_maps = _maps((5, 7), side=8)
    pooled = [functional.avg_pool2d(each, 3, 1, 1) for each in feature_maps]
    size = pooled[0].shape[-2:]
    pooled[1] = functional.interpolate(pooled[1], size=size, mode="bilinear")
    embedding = PooledConcatenation()(feature_maps)
    torch.testing.assert_close(embedding, torch.cat(pooled, dim=1), rtol=0, atol=1e-6)


def test_features_of_unit_length_ignore_the_gain_of_a_layer():
    feature_maps = _maps((5, 7), side=8)
    embed = PooledConcatenation(unit_length=True)
    embedding = embed(feature_maps)
    assert torch.allclose(embedding[:, :5].norm(dim=1), torch.ones(()))
    torch.testing.assert_close(embed([feature_maps[0], 9 * feature_maps[1]]), embedding)


@pytest.mark.parametrize(
    "make", [PooledConcatenation, lambda patch_size: PatchEmbedding((4,), patch_size=patch_size)]
)
@pytest.mark.parametrize("patch_size", [0, 2, -1])
def test_a_patch_has_a_middle(make, patch_size):
    with pytest.raises(ZooError, match=f"patch_size is {patch_size}, it must be odd"):
        make(patch_size=patch_size)


def test_joined_features_are_averaged_over_the_patch():
    feature_maps = _maps((4, 6), side=8)
    expected = functional.avg_pool2d(feature_maps[0], 5, 1, 2)
    found = PooledConcatenation(patch_size=5)(feature_maps)[:, :4]
    torch.testing.assert_close(found, expected)
