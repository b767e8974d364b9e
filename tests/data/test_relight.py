"""Other lights: reproducible, per image, multiplicative, stronger with severity, never garbage."""

import json
import random
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from zoo.data.relight import FAMILIES, SEVERITIES, Light, lights, relight, relight_image
from zoo.data.relight.families import FUNCTIONS
from zoo.data.relight.light import STOPS
from zoo.utils.errors import ZooError

EVERY = [Light(family, severity, 7) for family in FAMILIES for severity in SEVERITIES]
SEEDS = range(12)


@pytest.fixture(scope="module")
def images(texture):
    """Return three coloured textures, (3, 3, 48, 64), values around 0.4."""
    stack = np.stack([texture(seed) for seed in range(3)])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255 * 0.8


def under(images, family, severity=5, seed=0):
    return relight(images, Light(family, severity, seed))


def test_every_family_has_a_function_and_ranges_that_follow_upon_each_other():
    assert tuple(FUNCTIONS) == FAMILIES == tuple(STOPS)
    for ranges in STOPS.values():
        assert len(ranges) == len(SEVERITIES)
        assert all(0 < low < high for low, high in ranges)
        assert all(one[1] == other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_light_is_reproducible_and_a_seed_is_another_lamp(images, family):
    assert torch.equal(under(images, family, seed=1), under(images, family, seed=1))
    assert not torch.equal(under(images, family, seed=1), under(images, family, seed=2))


def test_an_image_alone_is_the_same_as_in_any_batch(images):
    lamps = lights(0)
    batch = images[torch.arange(len(lamps)) % 3]
    relit = relight(batch, lamps)
    for index, lamp in enumerate(lamps):
        assert torch.equal(relight(batch[index : index + 1], lamp)[0], relit[index])
    assert torch.equal(relight(batch.flip(0), lamps[::-1]), relit.flip(0))
    packed = batch.contiguous(memory_format=torch.channels_last)
    assert torch.equal(relight(packed, lamps), relit)


def test_one_light_falls_on_all_images(images):
    lamp = Light("spot", 4, 3)
    assert torch.equal(relight(images, lamp), relight(images, [lamp] * 3))
    family = FUNCTIONS["spot"](images, 4, torch.Generator().manual_seed(3))
    assert torch.equal(family, relight(images, lamp))


def test_no_global_generator_and_no_input_is_touched(images):
    before = images.clone()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)  # noqa: NPY002
    for lamp in lights(0, per_family=2):
        relight(images, lamp)
    expected = (1, 1, 1)
    drawn = (torch.rand(3), np.random.random(3), random.random())  # noqa: NPY002
    torch.manual_seed(1), np.random.seed(1), random.seed(1)  # noqa: NPY002
    again = (torch.rand(3), np.random.random(3), random.random())  # noqa: NPY002
    assert tuple(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True)) == expected
    assert torch.equal(images, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (33, 50), (40, 160)])
def test_every_size_keeps_shape_type_and_range(size):
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    for lamp in EVERY:
        relit = relight(images, lamp)
        assert (relit.shape, relit.dtype) == (images.shape, torch.float32), lamp
        assert 0 <= relit.min() <= relit.max() <= 1, lamp


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("lamp", EVERY[::4], ids=lambda lamp: f"{lamp.family}-{lamp.severity}")
def test_black_stays_black_and_white_gives_numbers(lamp, value):
    relit = relight(torch.full((1, 3, 20, 30), value), lamp)
    assert torch.isfinite(relit).all()
    assert relit.max() <= value


@pytest.mark.parametrize("family", FAMILIES)
def test_a_light_moves_nothing(family):
    """A pattern differs from its background under any light exactly where it did before."""
    plain = torch.tensor([0.30, 0.26, 0.22]).view(1, 3, 1, 1).repeat(1, 1, 40, 56)
    mask = torch.zeros(40, 56, dtype=torch.bool)
    mask[11:23, 17:41] = mask[30, 5] = True
    marked = torch.where(mask, plain * 1.2, plain)
    for seed in SEEDS:
        differs = (under(marked, family, 4, seed) != under(plain, family, 4, seed)).any(1)[0]
        assert torch.equal(differs, mask)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_higher_severity_is_a_stronger_change(images, family):
    for seed in SEEDS:
        changes = [(under(images, family, s, seed) - images).abs().mean() for s in SEVERITIES]
        assert all(one < other for one, other in pairwise(changes))


@pytest.mark.parametrize("family", ["gain", "gamma", "gradient", "spot", "colour_cast", "shadow"])
def test_severity_1_is_barely_visible_and_5_is_plain(images, family):
    weak = [(under(images, family, 1, seed) - images).abs().mean() for seed in SEEDS]
    strong = [(under(images, family, 5, seed) - images).abs().mean() for seed in SEEDS]
    assert max(weak) < 0.06
    assert np.mean(strong) > 4 * np.mean(weak)


@pytest.mark.parametrize("family", ["gain", "gamma"])
def test_brighter_and_darker_both_occur(images, family):
    signs = {float((under(images, family, 3, seed) - images).mean().sign()) for seed in SEEDS}
    assert signs == {-1.0, 1.0}


def test_a_shadow_only_darkens(images):
    assert all((under(images, "shadow", 5, seed) <= images).all() for seed in SEEDS)


def test_warm_and_cold_lamps_keep_the_luminance():
    weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.02 + 0.4
    warm = set()
    for seed in SEEDS:
        relit = under(images, "colour_cast", 4, seed)
        torch.testing.assert_close(
            (weights * relit).sum(1), (weights * images).sum(1), atol=0.01, rtol=0
        )
        warm.add(bool((relit[:, 0] > relit[:, 2]).all()))
    assert warm == {True, False}


@pytest.mark.parametrize("family", FAMILIES)
def test_grey_stays_grey(images, family):
    grey = images[:, :1].repeat(1, 3, 1, 1)
    for seed in SEEDS:
        relit = under(grey, family, 5, seed)
        assert torch.equal(relit, relit[:, :1].expand_as(relit))
    if family == "colour_cast":
        assert torch.equal(relit, grey)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_light_looks_the_same_at_every_size(family):
    for seed in SEEDS:
        small, large = (
            under(
                torch.full((1, 3, 60 * k, 90 * k), 0.4) * torch.tensor([1, 0.9, 0.8]).view(3, 1, 1),
                family,
                5,
                seed,
            )
            for k in (1, 3)
        )
        shrunk = torch.nn.functional.avg_pool2d(large, 3)
        torch.testing.assert_close(shrunk, small, atol=0.02, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_light_burns_out_or_blackens_an_image(texture, family):
    for level in (0.15, 0.5, 0.85):
        pixels = torch.from_numpy(texture(9)).permute(2, 0, 1)[None].float() / 255
        images = (level + 0.3 * (pixels - 0.5)).clamp(0, 0.94)
        for seed in SEEDS:
            relit = under(images, family, 5, seed).mean(1)
            assert (relit >= 0.999).float().mean() <= 0.27
            assert relit.std() > 0.25 * images.mean(1).std()


def test_a_white_background_does_not_hold_the_shutter():
    images = torch.ones(1, 3, 40, 40)
    images[..., 10:20, 10:20] = 0.3
    brighter = [under(images, "gain", 5, seed)[0, 0, 15, 15] for seed in SEEDS]
    assert max(brighter) > 0.45


def test_8_bit_pixels_agree_with_floats(texture):
    pixels = texture(5, (37, 53))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    for lamp in EVERY:
        relit = relight_image(pixels, lamp)
        assert (relit.shape, relit.dtype) == (pixels.shape, np.uint8)
        exact = relight(image, lamp)[0].permute(1, 2, 0).numpy()
        assert np.abs(relit / 255 - exact).max() <= 0.501 / 255
    flipped = relight_image(pixels[:, ::-1], EVERY[0])  # a view with negative steps
    assert np.array_equal(flipped, relight_image(pixels, EVERY[0])[:, ::-1])


def test_a_light_is_plain_data():
    lamp = Light("spot", 2, 5)
    assert Light(**json.loads(json.dumps(lamp.to_dict()))) == lamp
    assert {lamp: 1}[Light("spot", 2, 5)] == 1


def test_a_light_is_tomorrow_what_it_is_today():
    assert lights(0, ["gain", "shadow"]) == [
        Light("gain", 1, 1240009081),
        Light("shadow", 4, 442534140),
    ]
    row = relight(torch.full((1, 3, 1, 8), 0.5), Light("shadow", 4, 125))[0, 0, 0]
    expected = torch.tensor([0.262, 0.262, 0.262, 0.262, 0.2729, 0.4328, 0.4984, 0.5])
    torch.testing.assert_close(row, expected, atol=1e-4, rtol=0)


def test_leaving_a_family_out_leaves_the_other_lights_alone():
    listed = lights(3, per_family=7)
    assert listed == lights(3, per_family=7) != lights(4, per_family=7)
    assert len(set(listed)) == 7 * len(FAMILIES)
    kept = [family for family in FAMILIES if family != "spot"]
    assert lights(3, kept, per_family=7) == [lamp for lamp in listed if lamp.family != "spot"]
    fewer = lights(3, per_family=2)
    assert set(fewer) < set(listed)


def test_every_severity_comes_before_one_comes_back():
    for seed in range(5):
        by_family = lights(seed, ["gamma"], (2, 4, 5), per_family=6)
        assert sorted(lamp.severity for lamp in by_family[:3]) == [2, 4, 5]
        assert sorted(lamp.severity for lamp in by_family[3:]) == [2, 4, 5]
    assert lights(0, per_family=0) == lights(0, []) == []


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Light("gian", 1, 0), "unknown family of lights 'gian'; did you mean 'gain'?"),
        (lambda: lights(0, ["shadows"]), "did you mean 'shadow'?"),
        (lambda: Light("gain", 0, 0), "severity of a light is 0: use a whole number from 1 to 5"),
        (lambda: Light("gain", 2.0, 0), "severity of a light is 2.0"),
        (lambda: lights(0, severities=(6,)), "severity of a light is 6"),
        (lambda: lights(0, severities=()), "no severities"),
        (lambda: Light("gain", 1, -1), "seed of a light is -1"),
        (lambda: relight(torch.zeros(2, 3, 4, 4), lights(0)), "6 lights for 2 images"),
        (lambda: relight(torch.zeros(3, 4, 4), []), "(3, 4, 4)"),
        (lambda: relight(torch.zeros(1, 1, 4, 4), []), "use (B, 3, H, W) float32"),
        (lambda: relight(torch.zeros(1, 3, 4, 4).byte(), []), "torch.uint8"),
        (lambda: relight(torch.full((1, 3, 4, 4), 255.0), EVERY[0]), "reach from 255 to 255"),
        (lambda: relight(torch.full((1, 3, 4, 4), torch.nan), EVERY[0]), "reach from nan"),
        (lambda: relight_image(np.zeros((4, 4), np.uint8), EVERY[0]), "(4, 4)"),
        (lambda: relight_image(np.zeros((4, 4, 3)), EVERY[0]), "float64"),
    ],
)
def test_errors_are_one_line_and_say_how_to_mend(call, text):
    with pytest.raises(ZooError) as error:
        call()
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_no_images_give_no_images():
    empty = torch.zeros(0, 3, 4, 4)
    assert relight(empty, []).shape == relight(empty, EVERY[0]).shape == empty.shape


def test_names_and_lists_of_lights_cost_no_torch():
    code = (
        "import sys; from zoo.data.relight import lights; lights(0); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
