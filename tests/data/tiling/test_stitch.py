"""Tiles there and back: exact for what agrees, at any scale, with any seams."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.tiling.grid import Layout
from zoo.data.tiling.stitch import SEAMS, cut, stitch
from zoo.utils.errors import ZooError

LAYOUTS = [Layout(1024, 102, each) for each in ("spread", "shift", "pad")]


@pytest.mark.parametrize("seams", SEAMS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.remainder)
@pytest.mark.parametrize("size", [(1056, 4224), (2048, 2448)])
def test_identity_gives_large_images_back(size, layout, seams):
    image = np.random.default_rng(0).normal(size=size).astype(np.float32)
    grid = layout.grid(size)
    assert np.array_equal(stitch(cut(image, grid), grid, seams), image)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    tile=st.integers(1, 20),
    share=st.floats(0, 0.95),
    remainder=st.sampled_from(["spread", "shift", "pad"]),
    seams=st.sampled_from(SEAMS),
)
def test_identity_gives_images_of_odd_sizes_back(height, width, tile, share, remainder, seams):
    image = np.random.default_rng(height).normal(size=(height, width)).astype(np.float32)
    grid = Layout(tile, int(tile * share), remainder).grid(image.shape)
    assert np.array_equal(stitch(cut(image, grid), grid, seams), image)


@pytest.mark.parametrize("size", [(1280, 1520), (656, 2640), (640, 1392)])
def test_tokens_of_tiles_are_those_of_the_whole_image(size):
    """SuperADD's layout with an average pool for a network: not a bit of difference."""
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    grid = Layout(640, 256, multiple=16).grid(size)
    tokens = torch.nn.functional.avg_pool2d(cut(image[0, 0], grid)[:, None], 16)[:, 0]
    whole = torch.nn.functional.avg_pool2d(image, 16)[0, 0]
    assert np.array_equal(stitch(tokens.numpy(), grid, "hard"), whole.numpy())


def test_maps_on_no_pixel_grid_are_resized_to_their_tiles():
    """RoBiS: maps of 256 px for tiles of 518 in steps of 466. A ramp must stay where it is."""
    size, layout = (518, 984 + 466), Layout(518, 52)
    columns = np.arange(size[1], dtype=np.float32)
    grid = layout.grid(size)
    assert grid.at((256, 256)) is None
    ramp = np.broadcast_to(columns, size)
    tiles = torch.from_numpy(cut(np.ascontiguousarray(ramp), grid))[:, None]
    small = torch.nn.functional.interpolate(tiles, (256, 256), mode="bilinear")[:, 0].numpy()
    whole = stitch(small, grid, "blend")
    assert whole.shape == size
    assert abs(whole - ramp)[:, 2:-2].max() < 0.6  # px: clamped borders of tiles, no shift


def test_constant_maps_stay_constant_at_any_scale():
    grid = Layout(64, 20, "pad").grid((100, 130))
    for side in (64, 32, 17, 1):
        maps = np.full((len(grid), side, side), 0.1, np.float32)
        whole = stitch(maps, grid, "mean")
        np.testing.assert_allclose(whole, np.float32(0.1), rtol=1e-6)  # of the resize
        assert grid.at((side, side)) is None or len(np.unique(whole)) == 1


def test_hard_seams_lie_in_the_middle_of_an_overlap():
    grid = Layout(8, 3, "shift").grid((8, 13))
    maps = np.stack([np.zeros((8, 8)), np.ones((8, 8))])
    assert stitch(maps, grid, "hard")[0].tolist() == [0] * 7 + [1] * 6


def test_blended_seams_rise_from_one_tile_to_the_other():
    grid = Layout(8, 4, "shift").grid((8, 12))
    row = stitch(np.stack([np.zeros((8, 8)), np.ones((8, 8))]), grid, "blend")[0]
    np.testing.assert_allclose(row, [0, 0, 0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1, 1, 1])


def test_mean_seams_average_all_tiles_that_cover_a_pixel():
    grid = Layout(6, 4, "shift").grid((10, 10))
    maps = np.random.default_rng(1).normal(size=(len(grid), 6, 6)).astype(np.float32)
    total, count = np.zeros((10, 10)), np.zeros((10, 10))
    for each, (top, left) in zip(maps, grid, strict=True):
        total[top : top + 6, left : left + 6] += each
        count[top : top + 6, left : left + 6] += 1
    assert count.max() == 9
    np.testing.assert_allclose(stitch(maps, grid, "mean"), total / count, rtol=0, atol=1e-6)


def test_tiles_beyond_the_edge_are_zero():
    tiles = cut(torch.ones(3, 5, 5), Layout(4, 0, "pad").grid((5, 5)))
    assert tiles.shape == (4, 3, 4, 4)
    assert tiles.sum((1, 2, 3)).tolist() == [48, 12, 12, 3]


def test_wrong_numbers_of_maps_and_unknown_seams_are_refused():
    grid = Layout(4).grid((8, 8))
    with pytest.raises(ZooError, match="for 4 tiles"):
        stitch(np.zeros((3, 4, 4)), grid)
    with pytest.raises(ZooError, match="did you mean 'blend'"):
        stitch(np.zeros((4, 4, 4)), grid, "blnd")
