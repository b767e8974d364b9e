"""Real photographs: every image loads, and the recipe finds what a crude detector finds."""

from __future__ import annotations

import json

import pytest

from zoo.cli import main
from zoo.data import layout
from zoo.data.images import image_size, read_image
from zoo.data.masks import read_mask

OBJECT = "hazelnut_toy"


def test_every_mask_fits_its_image(real_data):
    for name in layout.object_names(real_data):
        for split in layout.splits_on_disk(real_data, name):
            for sample in layout.samples(real_data, name, split)[:40]:
                assert sample.has_truth
                if sample.mask_path is not None:
                    size = image_size(sample.image_path)
                    assert read_mask(sample.mask_path, size).shape == size


def test_grey_and_colour_photographs_load_alike(real_data):
    for name in layout.object_names(real_data):
        [first, *_] = layout.samples(real_data, name, "train")
        pixels = read_image(first.image_path)
        assert pixels.dtype == "uint8"
        assert pixels.shape[2] == 3


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["patchcore/embedded", "padim/stock"])
def test_defects_on_real_photographs_are_found(real_data, recipe, tmp_path):
    out = str(tmp_path / "runs")
    words = ["bench", recipe, "--data.root", str(real_data), "--objects", OBJECT, "--out", out]
    assert main(words) == 0
    [path] = (tmp_path / "runs").rglob("metrics.json")
    private = json.loads(path.read_text())["splits"]["test_private"]
    assert private["image_auroc"] > 0.9
    assert private["segf1"] > 0.4
    assert private["segf1"] > 3 * private["segf1_all_positive"]
