"""Images resized without torch: the very bytes that torch gives, whatever the size."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from torchvision.transforms.v2 import InterpolationMode, Resize

from zoo.data.resize import resize_image
from zoo.data.transforms import to_model_size
from zoo.utils.errors import ZooError

MODES = ["bilinear", "bicubic"]
SIZES = [
    ((64, 96), (64, 96)),
    ((64, 64), (64, 96)),
    ((300, 200), (64, 96)),
    ((20, 33), (96, 64)),
    ((1, 1), (5, 7)),
    ((7, 900), (9, 4)),
    ((333, 5), (16, 16)),
    ((4, 30_000), (3, 64)),  # more weights than float32 sums exactly
]


def by_torch(pixels, size, mode):
    return to_model_size(pixels, Resize(size, InterpolationMode(mode), antialias=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("native", "size"), SIZES)
def test_bytes_are_those_of_torch(native, size, mode):
    random = np.random.default_rng(sum(native))
    noise = random.integers(0, 256, (*native, 3), dtype=np.uint8)
    for pixels in (noise, np.where(noise > 127, 255, 0).astype(np.uint8)):  # overshoots, clipped
        found = resize_image(pixels, size, mode)
        assert (found.dtype, found.shape) == (np.uint8, (*size, 3))
        np.testing.assert_array_equal(found, by_torch(pixels, size, mode))


@pytest.mark.parametrize("mode", MODES)
def test_bytes_are_those_of_torch_at_sizes_drawn_at_random(mode):
    random = np.random.default_rng(0)
    for _ in range(40):
        native, size = (tuple(map(int, random.integers(1, 200, 2))) for _ in range(2))
        pixels = random.integers(0, 256, (*native, 3), dtype=np.uint8)
        found = resize_image(pixels, size, mode)
        np.testing.assert_array_equal(found, by_torch(pixels, size, mode), f"{native} to {size}")


def test_another_interpolation_is_one_line():
    with pytest.raises(ZooError, match="resized bilinear or bicubic without torch, not nearest"):
        resize_image(np.zeros((4, 4, 3), np.uint8), (2, 2), "nearest")


def test_no_torch_is_needed():
    code = "import sys; import zoo.data.resize; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
