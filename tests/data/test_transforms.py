"""One brightness and one contrast for every image."""

import pytest
import torch
from torchvision.tv_tensors import Mask

from zoo.data.transforms import SameContrast


def test_gain_and_offset_of_a_camera_go():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 16, 20)
    same = SameContrast()(images)
    assert same.mean(dim=(1, 2, 3)).numpy() == pytest.approx([0.45, 0.45], abs=1e-5)
    assert same.std(dim=(1, 2, 3)).numpy() == pytest.approx([0.15, 0.15], abs=1e-3)
    torch.testing.assert_close(SameContrast()(0.5 * images + 0.2), same)
    torch.testing.assert_close(SameContrast()(images[1]), same[1])


def test_a_mask_stays():
    image, mask = torch.rand(1, 3, 8, 8), Mask(torch.ones(1, 8, 8))
    same, kept = SameContrast()(image, mask)
    assert torch.equal(kept, mask)
    assert not torch.equal(same, image)


def test_colours_keep_their_order():
    image = torch.tensor([0.2, 0.5, 0.8]).reshape(3, 1, 1).expand(3, 4, 4)
    red, green, blue = SameContrast()(image)[:, 0, 0]
    assert red < green < blue


def test_noise_of_an_image_without_contrast_stays_small():
    torch.manual_seed(0)
    flat = 0.5 + 0.0001 * torch.randn(3, 16, 16)
    assert SameContrast()(flat).std() < 0.01
    assert SameContrast()(torch.zeros(3, 4, 4)).isfinite().all()
