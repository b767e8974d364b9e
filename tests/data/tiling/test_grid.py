"""Where tiles lie: published layouts, every remainder, odd sizes, and refusals."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.tiling.grid import MAX_TILED_PIXELS, Layout, scaled_size
from zoo.utils.errors import ZooError

SIZES = [(2048, 2448), (1056, 4224), (1024, 2232), (1520, 2100), (1900, 1400)]


@pytest.mark.parametrize(
    ("size", "rows", "columns", "last"),
    [  # RoBiS: windows of 1024 px, steps of 921, black beyond the edge; last: what is left (h, w)
        ((1024, 2232), 1, 3, (1024, 390)),
        ((2048, 2448), 3, 3, (206, 606)),
        ((1520, 2100), 2, 3, (599, 258)),
        ((1056, 4224), 2, 5, (135, 540)),
        ((1900, 1400), 2, 2, (979, 479)),
    ],
)
def test_windows_of_robis(size, rows, columns, last):
    grid = Layout(tile=1024, overlap=103, remainder="pad").grid(size)
    assert grid.rows == tuple(921 * i for i in range(rows))
    assert grid.columns == tuple(921 * i for i in range(columns))
    assert (size[0] - grid.rows[-1], size[1] - grid.columns[-1]) == last
    assert grid.covered >= size


@pytest.mark.parametrize(
    ("native", "n_tiles", "tokens"),
    [((2048, 2448), 12, (80, 95)), ((1056, 4224), 14, (41, 165)), ((1024, 2232), 3, (40, 87))],
)
def test_tiles_of_superadd(native, n_tiles, tokens):
    """Images at 0.625, tiles of 640 px, 128 px given up at each side, starts on whole tokens."""
    size = tuple(int(side * 0.625) // 16 * 16 for side in native)
    assert (size[0] // 16, size[1] // 16) == tokens
    grid = Layout(tile=640, overlap=256, multiple=16).grid(size)
    assert len(grid) == n_tiles
    for starts, length in zip((grid.rows, grid.columns), tokens, strict=True):
        steps = max(1, len(starts) - 1)
        expected = [i * (length - 40) // steps for i in range(len(starts))]
        assert [start // 16 for start in starts] == expected
        assert all(start % 16 == 0 for start in starts)


@given(
    length=st.integers(1, 300),
    side=st.integers(1, 30),
    share=st.floats(0, 0.99),
    multiple=st.integers(1, 9),
    remainder=st.sampled_from(["spread", "shift", "pad"]),
)
def test_tiles_cover_every_pixel_with_the_overlap_that_was_asked_for(
    length, side, share, multiple, remainder
):
    tile, overlap = side * multiple, int(side * share) * multiple
    length = length if remainder == "pad" else max(length, tile)
    starts = Layout(tile, overlap, remainder, multiple).grid((length, length)).rows
    assert starts[0] == 0
    assert all(0 < after - before <= tile - overlap for before, after in pairwise(starts))
    if remainder == "pad":
        assert starts[-1] + tile >= length
        assert starts[-1] < length
    else:
        assert starts[-1] + tile == length
    if remainder == "spread":
        assert all(start % multiple == 0 for start in starts[:-1])


@pytest.mark.parametrize("size", SIZES)
def test_spread_takes_no_more_tiles_than_shift(size):
    spread, shift = (Layout(512, 64, remainder).grid(size) for remainder in ("spread", "shift"))
    assert len(spread) == len(shift)
    steps = {after - before for before, after in pairwise(spread.columns)}
    assert max(steps) - min(steps) <= 1


def test_a_tile_larger_than_the_image_says_so():
    with pytest.raises(ZooError, match=r"of 64 px is larger than an image of 90x40 px.*pad"):
        Layout(64).grid((40, 90))
    assert Layout(64, remainder="pad").grid((40, 90)).covered == (64, 128)


@pytest.mark.parametrize(
    "numbers", [{"tile": 0}, {"tile": 8, "overlap": 8}, {"tile": 8, "overlap": -1}]
)
def test_impossible_numbers_are_refused(numbers):
    with pytest.raises(ZooError, match="an overlap that is smaller"):
        Layout(**numbers)


def test_tiles_that_cannot_start_on_the_patches_are_refused():
    with pytest.raises(ZooError, match="multiples of 14: let both be"):
        Layout(512, 28, multiple=14)


def test_an_unknown_remainder_names_the_others():
    with pytest.raises(ZooError, match="did you mean 'shift'"):
        Layout(8, remainder="shft")


def test_a_strip_gets_no_more_pixels_than_a_network_takes():
    assert scaled_size((2048, 2448), shorter_side=1024) == (1024, 1224)
    with pytest.raises(ZooError, match="4096x16 px would be resized to 73728x288, more than 8 mil"):
        scaled_size((16, 4096), shorter_side=288)
    assert scaled_size((16, 4096), shorter_side=288, max_pixels=MAX_TILED_PIXELS) == (288, 73728)
    with pytest.raises(ZooError, match="more than 134 million pixels"):
        scaled_size((1, 5000), shorter_side=288, max_pixels=MAX_TILED_PIXELS)
