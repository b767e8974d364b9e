"""Closing, filling, erosion and border against scipy and scikit-image, on random masks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.morphology import remove_small_holes

from zoo.postprocess.morphology import clean_mask

# The same examples at every run, and no deadline: a busy machine must not fail a test.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=16), elements=st.integers(0, 1)
)
SHAPE = st.fixed_dictionaries(
    {
        "close_px": st.integers(0, 7),
        "fill_holes_px": st.integers(0, 9),
        "erode_px": st.integers(0, 4),
        "border_px": st.integers(0, 4),
    }
)


def _blank(*shape):
    return np.zeros(shape, np.uint8)


def _line(gap, step, shape=(60, 60), start=(20, 8), length=6):
    """Return two pieces of a line with a gap, and the whole line."""
    whole, broken = _blank(*shape), _blank(*shape)
    for index in range(2 * length + gap):
        place = start[0] + index * step[0], start[1] + index * step[1]
        whole[place] = 1
        broken[place] = not length <= index < length + gap
    return broken, whole


@given(MASKS, SHAPE)
def test_the_input_stays_and_the_output_is_a_mask_of_its_size(mask, shape):
    before = mask.copy()
    result = clean_mask(mask, **shape)
    np.testing.assert_array_equal(mask, before)
    assert result.shape == mask.shape
    assert result.dtype == np.uint8
    assert result.max() <= 1


@given(SHAPE, st.sampled_from([(1, 1), (1, 9), (9, 1), (5, 2), (17, 23)]))
def test_an_empty_mask_stays_empty(shape, size):
    assert not clean_mask(_blank(*size), **shape).any()


def test_without_a_shape_nothing_changes():
    mask = np.eye(5, dtype=np.uint8)
    assert clean_mask(mask) is mask


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1)], ids=["row", "column", "diagonal"])
@pytest.mark.parametrize("flip", [False, True])
def test_gaps_of_a_broken_line_are_bridged_up_to_the_length(step, flip):
    for gap, close_px in product(range(1, 10), [1, 2, 3, 4, 8, 9]):
        broken, whole = _line(gap, step)
        if flip:
            broken, whole = broken[:, ::-1].copy(), whole[:, ::-1].copy()
        expected = whole if gap <= close_px else broken
        found = clean_mask(broken, close_px=close_px)
        np.testing.assert_array_equal(found, expected, f"{gap} px, closed by {close_px}")


@pytest.mark.parametrize("place", [(10, 10), (0, 0), (0, 1), (2, 20), (20, 20), (19, 7)])
def test_a_lone_dot_does_not_swell(place):
    mask = _blank(21, 21)
    mask[place] = 1
    for close_px in range(1, 12):
        np.testing.assert_array_equal(clean_mask(mask, close_px=close_px), mask, f"{close_px} px")


@given(MASKS, st.integers(1, 6))
def test_closing_is_scipys_along_four_lines(mask, gap):
    padded = np.pad(mask, gap + 1).astype(bool)
    row, diagonal = np.ones((1, gap + 1)), np.eye(gap + 1)
    expected = padded.copy()
    for line in (row, row.T, diagonal, diagonal[::-1]):
        expected |= ndimage.binary_closing(padded, line)
    inside = slice(gap + 1, -gap - 1)
    np.testing.assert_array_equal(clean_mask(mask, close_px=gap), expected[inside, inside])


@given(MASKS, st.integers(1, 12))
def test_holes_are_filled_as_scikit_image_fills_them(mask, most_px):
    # Candidates beyond the edge enclose nothing: background that reaches the edge is no hole.
    outside = np.pad(mask, 1).astype(bool)
    lid = remove_small_holes(outside, max_size=most_px, connectivity=1)
    labels, _ = ndimage.label(~outside)
    lid[labels == labels[0, 0]] = False
    np.testing.assert_array_equal(clean_mask(mask, fill_holes_px=most_px), lid[1:-1, 1:-1])


@pytest.mark.parametrize(("most_px", "filled"), [(8, False), (9, True), (10_000, True)])
def test_a_hole_is_filled_up_to_an_area(most_px, filled):
    mask = _blank(20, 30)
    mask[5:10, 5:10] = 1
    mask[6:9, 6:9] = 0
    assert bool(clean_mask(mask, fill_holes_px=most_px)[7, 7]) is filled


def test_the_background_is_no_hole():
    mask = _blank(9, 9)
    mask[4, :] = mask[:, 4] = 1  # four corners, each at the edge
    np.testing.assert_array_equal(clean_mask(mask, fill_holes_px=10_000), mask)


def test_an_island_in_a_filled_hole_stays():
    mask = _blank(11, 11)
    mask[1:10, 1:10] = 1
    mask[2:9, 2:9] = 0
    mask[5, 5] = 1
    assert clean_mask(mask, fill_holes_px=48)[1:10, 1:10].all()
    np.testing.assert_array_equal(clean_mask(mask, fill_holes_px=47), mask)


@given(MASKS, st.integers(2, 7))
def test_erosion_is_scipys_with_candidates_beyond_the_edge(mask, side):
    expected = ndimage.binary_erosion(mask, np.ones((side, side)), border_value=1)
    np.testing.assert_array_equal(clean_mask(mask, erode_px=side), expected)


def test_an_even_square_takes_one_pixel_more_at_the_top_and_left():
    mask = _blank(40, 40)
    mask[20:30, 20:30] = 1
    rows, columns = np.nonzero(clean_mask(mask, erode_px=6))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (23, 27, 23, 27)


def test_erosion_leaves_the_edge_of_the_image_alone():
    mask = _blank(128, 160)
    mask[:9, :11] = 1
    expected = _blank(128, 160)
    expected[:7, :9] = 1
    np.testing.assert_array_equal(clean_mask(mask, erode_px=6), expected)


@given(MASKS, st.integers(1, 9))
def test_nothing_counts_in_the_border(mask, border_px):
    rows, columns = np.indices(mask.shape)
    height, width = mask.shape
    inner = (np.minimum(rows, height - 1 - rows) >= border_px) & (
        np.minimum(columns, width - 1 - columns) >= border_px
    )
    np.testing.assert_array_equal(clean_mask(mask, border_px=border_px), mask * inner)


@settings(max_examples=50)
@given(MASKS, SHAPE)
def test_the_order_is_border_closing_filling_erosion(mask, shape):
    step_by_step = mask
    for name in ("border_px", "close_px", "fill_holes_px", "erode_px"):
        step_by_step = clean_mask(step_by_step, **{name: shape[name]})
    np.testing.assert_array_equal(clean_mask(mask, **shape), step_by_step)


def test_what_is_closed_does_not_depend_on_where_it_lies():
    mask = np.random.default_rng(0).random((12, 12)) < 0.2
    alone = clean_mask(mask.astype(np.uint8), close_px=4, fill_holes_px=6)
    large = _blank(50, 60)
    large[20:32, 31:43] = mask
    np.testing.assert_array_equal(
        clean_mask(large, close_px=4, fill_holes_px=6)[20:32, 31:43], alone
    )
