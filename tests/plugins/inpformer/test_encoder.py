"""Frozen encoders: timm's own numbers, one grid, any shape of image."""

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed
from zoo_plugins._transformers.positions import resample_positions
from zoo_plugins.inpformer.encoder import PyramidEncoder, TransformerEncoder

TINY = "vit_tiny_patch16_224"


def images(height, width, count=1):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(0)
    return TransformerEncoder(TINY, "random", [1, 2, 4, 5], 2).eval()


def test_tokens_are_timms_before_its_last_norm(transformer):
    network = timm.create_model(TINY)
    network.load_state_dict(transformer.network.state_dict(), strict=False)
    pixels = images(224, 224)
    with torch.no_grad():
        expected = network.eval().forward_intermediates(
            pixels, indices=[1, 2, 4, 5], norm=False, intermediates_only=True
        )
    groups = transformer(pixels)
    for group, pair in zip(groups, (expected[:2], expected[2:]), strict=True):
        torch.testing.assert_close(group, sum(pair) / 2, rtol=0, atol=1e-5)


def test_later_blocks_do_not_exist(transformer):
    assert len(transformer.network.blocks) == 6
    assert not any(value.requires_grad for value in transformer.parameters())
    assert not transformer.train().training


def test_a_wide_image_gives_a_wide_grid(transformer):
    assert [tuple(group.shape) for group in transformer(images(48, 96))] == [(1, 192, 3, 6)] * 2


def test_positions_by_scale_factor_differ_a_little_and_only_off_the_own_grid():
    # test_parity has their exact numbers
    table = torch.arange(7.0).repeat_interleave(7).reshape(1, 49, 1)  # the row of a patch
    assert resample_positions(table, (7, 7)) is table
    scaled = resample_positions(table, (4, 9))
    sized = resample_abs_pos_embed(table, (4, 9), num_prefix_tokens=0, antialias=False)
    assert scaled.shape == sized.shape == (1, 36, 1)
    assert 0.02 < (scaled - sized).abs().max() < 0.3


@pytest.mark.parametrize("stride", [8, 16])
def test_levels_come_to_one_grid_and_one_width(stride):
    encoder = PyramidEncoder("tf_efficientnet_lite0", "embedded", None, 2, 128, stride)
    assert encoder.multiple == 16
    assert encoder.n_heads == 4
    groups = encoder(images(64, 96, 2))
    assert [tuple(group.shape) for group in groups] == [(2, 128, 64 // stride, 96 // stride)] * 2
    for group in groups:  # no level outweighs another
        assert 0.8 < group.square().mean() < 1.2


@pytest.mark.parametrize(("width", "kept"), [(128, True), (64, False)])
def test_a_wide_enough_token_keeps_all_cosines_of_a_level(width, kept):
    encoder = PyramidEncoder("tf_efficientnet_lite0", "embedded", ["blocks.4"], 1, width, 16)
    pixels = images(64, 96)
    [level] = encoder.network(pixels)  # (1, 112, 4, 6)
    level = torch.nn.functional.layer_norm(level.flatten(2).transpose(1, 2), (112,))[0]
    tokens = encoder(pixels)[0].flatten(2)[0].T
    before, after = (
        torch.nn.functional.cosine_similarity(each[:, None], each, dim=-1)
        for each in (level, tokens)
    )
    assert torch.allclose(before, after, atol=1e-5) == kept


def test_the_projection_is_the_same_in_every_process():
    one, other = (
        PyramidEncoder("tf_efficientnet_lite0", "embedded", None, 2, 64, 8) for _ in range(2)
    )
    assert torch.equal(one.projection_1, other.projection_1)
