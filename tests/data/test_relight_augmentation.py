"""Lights in training: the transform, and the published families against their descriptions."""

import math
import pickle

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from PIL import Image as PillowImage
from PIL import ImageEnhance
from torchvision.transforms.v2 import Transform
from torchvision.transforms.v2.functional import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
)
from torchvision.tv_tensors import Image, Mask

from zoo.data.relight import FAMILIES, Relight
from zoo.data.relight.published import (
    PUBLISHED,
    directional_light,
    exposure_and_noise,
    filter_former,
    isvl,
    robis,
    superadd,
)
from zoo.utils.errors import ZooError

PRESETS = ("all", "robis", "isvl", "filter_former", "superadd")


@pytest.fixture
def pixels(texture):
    return torch.from_numpy(texture(1)).permute(2, 0, 1)  # (3, 48, 64) uint8


@pytest.fixture
def sample(pixels):
    mask = Mask(torch.zeros(1, 48, 64, dtype=torch.uint8))
    mask[:, 10:20, 10:20] = 1
    return Image(pixels.clone()), mask


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_image_changes_and_nothing_else(sample, preset):
    image, mask = sample
    torch.manual_seed(0)
    relit, kept, nothing, number = Relight(preset, p=1)(image, mask, None, 5)
    assert (type(relit), relit.dtype, relit.shape) == (Image, torch.uint8, image.shape)
    assert not torch.equal(relit, image)
    assert kept is mask
    assert (nothing, number) == (None, 5)


@pytest.mark.parametrize("preset", PRESETS)
def test_it_is_reproducible_under_the_seed_of_the_run(sample, preset):
    augment = Relight(preset, p=1)

    def series(seed):
        torch.manual_seed(seed)
        return torch.stack([augment(*sample)[0] for _ in range(4)])

    assert torch.equal(series(1), series(1))
    assert not torch.equal(series(1), series(2))


@pytest.mark.parametrize("preset", PRESETS)
def test_p_0_is_identity_and_draws_as_much_as_p_1(sample, preset):
    after = []
    for p in (0, 1):
        torch.manual_seed(0)
        image, _ = Relight(preset, p=p)(*sample)
        after.append(torch.rand(()))
        assert torch.equal(image, sample[0]) == (p == 0)
    assert after[0] == after[1]


@pytest.mark.parametrize(("preset", "p"), [("all", 0.5), ("robis", 0.5), ("isvl", 0.5)])
def test_the_published_probability_is_the_default(sample, preset, p):
    augment = Relight(preset)
    torch.manual_seed(0)
    changed = [not torch.equal(augment(*sample)[0], sample[0]) for _ in range(300)]
    assert augment.p == p
    assert np.mean(changed) == pytest.approx(p, abs=0.1)
    assert Relight("filter_former").p == Relight("superadd").p == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_floats_are_taken_too_and_stay_floats(sample, preset):
    augment = Relight(preset, p=1)
    torch.manual_seed(3)
    from_bytes, _ = augment(*sample)
    torch.manual_seed(3)
    from_floats = augment(sample[0].as_subclass(torch.Tensor).float() / 255)
    assert (type(from_floats), from_floats.dtype) == (torch.Tensor, torch.float32)
    torch.testing.assert_close(from_floats * 255, from_bytes.float(), atol=0.51, rtol=0)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (30, 7)])
def test_every_size_goes_through(preset, size):
    augment = Relight(preset, p=1)
    for seed in range(8):
        torch.manual_seed(seed)
        image = augment(Image(torch.full((3, *size), 90, dtype=torch.uint8)))
        assert (image.shape, image.dtype) == ((3, *size), torch.uint8)


def test_a_family_can_be_kept_out(sample):
    grey = Image(sample[0][:1].repeat(3, 1, 1))
    for seed in range(20):
        torch.manual_seed(seed)
        assert torch.equal(Relight(families=["colour_cast"], p=1)(grey), grey)
        torch.manual_seed(seed)
        others = [family for family in FAMILIES if family != "colour_cast"]
        assert not torch.equal(Relight(families=others, p=1)(grey), grey)


@pytest.mark.parametrize(("severity", "most"), [(1, 0.20), (3, 0.65), (5, 1.30)])
def test_severity_is_the_strongest_one(severity, most):
    image = torch.full((3, 4, 4), 0.4)
    augment = Relight(families=["gain"], severity=severity, p=1)
    torch.manual_seed(0)
    stops = [abs(math.log2(float(augment(image)[0, 0, 0]) / 0.4)) for _ in range(200)]
    assert 0.9 * most < max(stops) <= most + 1e-5
    assert min(stops) < 0.2


def test_a_recipe_names_it_by_its_class_path():
    parser = ArgumentParser()
    parser.add_argument("--augmentation", type=Transform)
    options = "{class_path: zoo.data.relight.Relight, init_args: {preset: robis, p: 0.25}}"
    augment = parser.instantiate_classes(parser.parse_args([f"--augmentation={options}"]))
    assert isinstance(augment.augmentation, Relight)
    assert repr(augment.augmentation) == "Relight(preset=robis, p=0.25)"
    again = pickle.loads(pickle.dumps(augment.augmentation))
    assert (again.preset, again.p) == ("robis", 0.25)


def test_training_images_are_relit_and_their_masks_and_validation_are_not(data):
    torch.manual_seed(0)
    plain = data()
    relit = data(train_augmentations=Relight(p=1))
    for one, other in zip(plain.train_data, relit.train_data, strict=True):
        assert not torch.equal(one.image, other.image)
        assert one.image.shape == other.image.shape
        assert torch.equal(one.gt_mask, other.gt_mask)
    for one, other in zip(plain.val_data, relit.val_data, strict=True):
        assert torch.equal(one.image, other.image)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"preset": "robi"}, "unknown preset of lights 'robi'; did you mean 'robis'?"),
        ({"preset": "isvl", "severity": 2}, "leave severity and families out"),
        ({"preset": "robis", "families": ["gain"]}, "leave severity and families out"),
        ({"families": ["spott"]}, "did you mean 'spot'?"),
        ({"families": []}, "no families"),
        ({"severity": 9}, "severity of a light is 9"),
        ({"p": 1.5}, "probability p of relighting is 1.5"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, text):
    with pytest.raises(ZooError) as error:
        Relight(**options)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "image", [torch.zeros(1, 4, 4), torch.zeros(3, 4, 4).int(), torch.full((3, 4, 4), 200.0)]
)
def test_what_is_no_image_is_refused(preset, image):
    with pytest.raises(ZooError, match=r"cannot be relit|reach from"):
        Relight(preset, p=1)(image)


def test_robis_is_gain_clip_noise_clip_truncate(pixels):
    noise = 15 * torch.randn(pixels.shape, generator=generator())
    for stops in (-0.2, 0.0, 0.2):
        expected = np.clip(pixels.numpy() * 2.0**stops, 0, 255) + noise.numpy()
        expected = np.clip(expected, 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(exposure_and_noise(pixels, stops, noise), expected)


def test_robis_has_the_published_ranges():
    grey = torch.full((3, 64, 64), 100, dtype=torch.uint8)
    relit = [robis(grey, generator(seed)).float() for seed in range(60)]
    means = [float(image.mean()) for image in relit]
    # factor 0.871..1.149, minus half a grey value by truncation
    assert 86 < min(means) < 90
    assert 110 < max(means) < 115
    assert float(relit[0].std()) == pytest.approx(15, abs=0.5)
    assert float((relit[0][0] - relit[0][1]).std()) > 15  # every channel has its own noise


def test_isvl_changes_brightness_rectangles_or_halves():
    grey = torch.full((3, 448, 448), 100, dtype=torch.uint8)
    kinds = {"whole": [], "rectangles": 0, "halves": 0}
    for seed in range(60):
        relit = isvl(grey, generator(seed))[0]
        if len(relit.unique()) == 1:
            kinds["whole"].append(int(relit[0, 0]))
        elif (relit[:, :224] == 150).all() and (relit[:, 224:] == 70).all():
            kinds["halves"] += 1
        else:
            kinds["rectangles"] += 1
            assert 30 * 30 <= (relit != 100).sum() <= 3 * 70 * 70
    assert min(len(kinds["whole"]), kinds["rectangles"], kinds["halves"]) >= 10
    assert 50 <= min(kinds["whole"]) < 65
    assert 110 < max(kinds["whole"]) <= 120


@pytest.mark.parametrize(
    ("name", "adjust", "most"),
    [
        ("Brightness", adjust_brightness, 0),
        ("Contrast", adjust_contrast, 1),
        ("Color", adjust_saturation, 1),
    ],
)
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.13, 1.2, 1.5])
def test_torchvision_changes_8_bit_images_as_pillow_does(pixels, name, adjust, most, factor):
    """The originals are written with Pillow."""
    image = PillowImage.fromarray(pixels.permute(1, 2, 0).numpy())
    expected = np.asarray(getattr(ImageEnhance, name)(image).enhance(factor), int)
    difference = adjust(pixels, factor).permute(1, 2, 0).numpy() - expected
    assert np.abs(difference).max() <= most


def sector(size, angle, centre, rate):
    """Return the factor of every pixel, in the words of the description, one by one."""
    factor = np.ones(size)
    for row in range(size[0]):
        for column in range(size[1]):
            bearing = math.degrees(math.atan2(centre[0] - row, centre[1] - column))
            if (bearing + 90) % 360 <= angle:
                factor[row, column] = 0.5 + 0.5 * rate
    return factor


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("centre", [(32, 32), (3, 60)])
@pytest.mark.parametrize("rate", [0.7, 1.37])
def test_the_directional_light_is_filter_formers(pixels, angle, centre, rate):
    expected = np.clip(pixels.numpy() * sector((48, 64), angle, centre, rate), 0, 255)
    relit = directional_light(pixels, angle, centre, rate)
    np.testing.assert_array_equal(relit, expected.astype(np.uint8))


@pytest.mark.parametrize(("angle", "share"), [(0, 0.056), (90, 25.1), (180, 50.1), (270, 75.1)])
def test_the_lit_share_is_the_measured_one(angle, share):
    white = torch.full((1, 896, 896), 200, dtype=torch.uint8)
    lit = (directional_light(white, angle, (448, 448), 1.2) != 200).double().mean() * 100
    assert float(lit) == pytest.approx(share, abs=0.05 if angle else 0.0005)


def test_filter_former_has_the_published_ranges():
    grey = torch.full((3, 90, 90), 100, dtype=torch.uint8)
    values = torch.cat([filter_former(grey, generator(seed)).flatten() for seed in range(200)])
    assert 80 * 0.85 - 1 <= values.min() < 76
    assert 135 < values.max() <= 120 * 1.2


def test_superadd_changes_the_brightness_of_the_whole_image_within_its_range():
    grey = torch.full((3, 9, 9), 100, dtype=torch.uint8)
    images = [superadd(grey, generator(seed)) for seed in range(200)]
    assert all(len(image.unique()) == 1 for image in images)
    values = torch.stack(images)
    assert 79 <= values.min() < 83
    assert 117 < values.max() <= 120


def test_published_families_touch_no_global_generator(pixels):
    before = torch.get_rng_state()
    for family in PUBLISHED.values():
        family.change(pixels, generator())
    assert torch.equal(torch.get_rng_state(), before)
