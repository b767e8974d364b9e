"""Defects in images: reproducible, exactly masked, larger with size, stronger with strength."""

import random
from itertools import pairwise, product

import cv2
import numpy as np
import pytest

from zoo.data.synthetic import KINDS, SIZES, STRENGTHS, Defect, put_defect
from zoo.data.synthetic.defect import AREAS
from zoo.utils.errors import ZooError

CELLS = [Defect(*cell, 7) for cell in product(KINDS, SIZES, STRENGTHS)]
SEEDS = range(10)


def name(defect):
    return f"{defect.kind}-{defect.size}-{defect.strength}"


def grey_of(pixels):
    return np.repeat(pixels[..., :1], 3, axis=2)


def change(pixels, image):
    return np.abs(image.astype(int) - pixels).max(axis=2)


@pytest.fixture(scope="module")
def pixels(texture):
    """Return a coloured texture with a spread of some 20 grey values, (200, 280, 3)."""
    return texture(3, (200, 280))


@pytest.mark.parametrize("defect", CELLS, ids=name)
def test_the_mask_is_where_the_image_changed(pixels, defect):
    before = pixels.copy()
    image, mask = put_defect(pixels, defect)
    assert (image.dtype, image.shape) == (np.uint8, pixels.shape)
    assert (mask.dtype, mask.shape) == (bool, pixels.shape[:2])
    assert mask.any()
    assert np.array_equal(image[~mask], pixels[~mask])
    # what resembles the old pixels inside are pinholes
    assert (change(pixels, image)[mask] >= 2).mean() > 0.8
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("kind", ["scratch", "local_light"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_on_plain_ground_every_pixel_of_the_mask_changed_visibly(kind, level):
    plain = np.full((120, 160, 3), level, np.uint8)
    for seed in SEEDS:
        image, mask = put_defect(plain, Defect(kind, "medium", "faint", seed))
        changed = change(plain, image)
        assert changed[mask].min() >= 1  # within the closed pinholes
        assert (changed[mask] >= 2).mean() > 0.95
        assert 5 <= changed.max() <= 20  # one to two times the least spread, with a tint


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_is_reproducible_whatever_was_drawn_before(pixels, kind):
    defects = [Defect(kind, "medium", "medium", seed) for seed in range(4)]
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    first = [put_defect(pixels, defect) for defect in defects]
    drawn = random.random(), np.random.random()  # noqa: NPY002
    again = [put_defect(pixels, defect) for defect in defects[::-1]][::-1]
    for (image, mask), (other_image, other_mask) in zip(first, again, strict=True):
        assert np.array_equal(image, other_image)
        assert np.array_equal(mask, other_mask)
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    assert drawn == (random.random(), np.random.random())  # noqa: NPY002
    assert len({mask.tobytes() for _, mask in first}) == 4


@pytest.mark.parametrize(("kind", "strength"), [*product(KINDS, STRENGTHS)])
def test_a_larger_size_is_a_larger_area(pixels, kind, strength):
    for seed in SEEDS:
        areas = [put_defect(pixels, Defect(kind, s, strength, seed))[1].sum() for s in SIZES]
        assert all(one < other for one, other in pairwise(areas))


@pytest.mark.parametrize("kind", KINDS)
def test_areas_are_the_documented_shares(texture, kind):
    large = texture(4, (600, 800))
    for size in SIZES:
        low, high = AREAS[kind][size]
        masks = [put_defect(large, Defect(kind, size, "medium", seed))[1] for seed in SEEDS]
        assert 0.5 * low < min(mask.mean() for mask in masks)
        assert max(mask.mean() for mask in masks) < 2.5 * high


@pytest.mark.parametrize(("kind", "size"), [*product(KINDS, SIZES)])
def test_a_greater_strength_is_a_greater_change(pixels, kind, size):
    for seed in SEEDS:
        images = [put_defect(pixels, Defect(kind, size, s, seed))[0] for s in STRENGTHS]
        changes = [change(pixels, image).sum() for image in images]
        assert all(one < other for one, other in pairwise(changes))


@pytest.mark.parametrize("kind", KINDS)
def test_strength_follows_the_texture(kind):
    """Four times the spread is about four times the change: faint is faint on any texture."""
    noise = np.random.default_rng(0).standard_normal((160, 160, 1))
    calm, rough = (
        np.repeat(np.uint8(np.clip(128 + spread * noise, 0, 255)), 3, axis=2) for spread in (8, 32)
    )
    ratios = []
    for seed in SEEDS:
        defect = Defect(kind, "large", "faint", seed)
        changes = [
            change(p, image)[mask].mean()
            for p in (calm, rough)
            for image, mask in [put_defect(p, defect)]
        ]
        ratios.append(changes[1] / changes[0])
    assert 3 < np.median(ratios) < 5


@pytest.mark.parametrize("defect", CELLS[::2], ids=name)
def test_grey_stays_grey(pixels, texture, defect):
    image, _ = put_defect(grey_of(pixels), defect, donor=texture(8, (90, 70)))
    assert np.array_equal(image, grey_of(image))


def test_a_perlin_defect_shows_the_texture_of_its_donor(pixels, texture):
    defect = Defect("perlin", "large", "strong", 5)
    own, own_mask = put_defect(pixels, defect)
    image, mask = put_defect(pixels, defect, donor=texture(8, (90, 70)))
    assert not np.array_equal(own, image)
    assert (mask & own_mask).sum() > 0.8 * (mask | own_mask).sum()  # the same shape and place
    other = Defect("cut_paste", "large", "strong", 5)
    assert np.array_equal(
        put_defect(pixels, other)[0], put_defect(pixels, other, donor=texture(8))[0]
    )


@pytest.mark.parametrize("defect", CELLS, ids=name)
@pytest.mark.parametrize("size", [(16, 16), (5, 200), (300, 24)])
def test_odd_sizes_take_every_defect(texture, defect, size):
    image, mask = put_defect(texture(2, size), defect)
    assert image.shape == (*size, 3)
    assert mask.any()
    assert mask.mean() < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_views_and_read_only_images_are_taken(pixels, kind):
    view = pixels[::-1, ::2]
    view.flags.writeable = False
    defect = Defect(kind, "medium", "strong", 1)
    image, mask = put_defect(view, defect)
    copy, copy_mask = put_defect(np.ascontiguousarray(view), defect)
    assert np.array_equal(image, copy)
    assert np.array_equal(mask, copy_mask)
    assert image.flags.writeable


@pytest.mark.parametrize("kind", ["cut_paste", "perlin"])
def test_a_uniform_image_has_nothing_to_move(kind, texture):
    plain = np.full((40, 50, 3), 90, np.uint8)
    with pytest.raises(ZooError, match=r"20 tries left no visible .* 50x40: it looks uniform"):
        put_defect(plain, Defect(kind, "medium", "medium", 0))
    if kind == "perlin":
        assert put_defect(plain, Defect(kind, "medium", "medium", 0), texture(1))[1].any()


def test_what_cannot_be_seen_is_tried_elsewhere(texture):
    """Half of the image is black: pasting black on black is no defect."""
    pixels = texture(1, (100, 100))
    pixels[:, :50] = 0
    for seed in range(40):
        assert put_defect(pixels, Defect("cut_paste", "small", "faint", seed))[1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_defects_come_on_the_object_rather_than_on_plain_ground(texture, kind):
    pixels = np.full((160, 160, 3), (30, 60, 120), np.uint8)
    thing = np.zeros((160, 160), np.uint8)
    cv2.circle(thing, (60, 90), 30, 1, -1)
    pixels[thing > 0] = texture(5, (160, 160))[thing > 0]
    hits = [
        (put_defect(pixels, Defect(kind, "small", "strong", seed))[1] & (thing > 0)).any()
        for seed in range(40)
    ]
    assert 0.65 < np.mean(hits) < 1  # the object takes a ninth of the image


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.zeros((9, 9, 3), np.float32), "type float32 cannot take a defect: use (H, W, 3) uint8"),
        (np.zeros((9, 9), np.uint8), "image of shape (9, 9)"),
        (np.zeros((9, 9, 4), np.uint8), "image of shape (9, 9, 4)"),
        (np.zeros((0, 9, 3), np.uint8), "image of shape (0, 9, 3)"),
    ],
)
def test_no_other_array_is_taken(pixels, text):
    with pytest.raises(ZooError) as error:
        put_defect(pixels, CELLS[0])
    assert text in str(error.value)
    with pytest.raises(ZooError, match="donor of shape"):
        put_defect(np.zeros((9, 9, 3), np.uint8), CELLS[0], donor=pixels)
