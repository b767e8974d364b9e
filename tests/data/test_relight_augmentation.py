"""Other lights as an augmentation of training images."""

import math
import pickle

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from torchvision.transforms.v2 import Transform
from torchvision.tv_tensors import Image, Mask

from zoo.data.relight import FAMILIES, Relight
from zoo.utils.errors import ZooError

PRESETS = ("all", "superadd")


@pytest.fixture
def pixels(texture):
    return torch.from_numpy(texture(1)).permute(2, 0, 1)  # (3, 48, 64) uint8


@pytest.fixture
def sample(pixels):
    mask = Mask(torch.zeros(1, 48, 64, dtype=torch.uint8))
    mask[:, 10:20, 10:20] = 1
    return Image(pixels.clone()), mask


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


def test_half_of_the_images_are_relit_by_default(sample):
    augment = Relight()
    torch.manual_seed(0)
    changed = [not torch.equal(augment(*sample)[0], sample[0]) for _ in range(300)]
    assert np.mean(changed) == pytest.approx(0.5, abs=0.1)
    assert Relight("superadd").p == 1


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
    options = "{class_path: zoo.data.relight.Relight, init_args: {preset: superadd, p: 0.25}}"
    augment = parser.instantiate_classes(parser.parse_args([f"--augmentation={options}"]))
    assert isinstance(augment.augmentation, Relight)
    assert repr(augment.augmentation).startswith("Relight(preset=superadd, ")
    again = pickle.loads(pickle.dumps(augment.augmentation))
    assert (again.preset, again.p) == ("superadd", 0.25)


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
        ({"preset": "superad"}, "unknown preset of lights 'superad'; did you mean 'superadd'?"),
        ({"preset": "superadd", "severity": 2}, "leave severity and families out"),
        ({"preset": "superadd", "families": ["gain"]}, "leave severity and families out"),
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


def test_superadd_changes_the_brightness_of_the_whole_image_within_its_range():
    grey, augment = torch.full((3, 9, 9), 100, dtype=torch.uint8), Relight("superadd")
    torch.manual_seed(0)
    values = [augment(grey).unique() for _ in range(200)]
    assert all(len(each) == 1 for each in values)
    values = torch.cat(values)
    assert 79 <= values.min() < 83
    assert 117 < values.max() <= 120
