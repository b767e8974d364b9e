"""Small fitted PatchCores and the images they are shown."""

from __future__ import annotations

import pytest
import torch
from zoo_plugins.patchcore import ZooPatchcore

from zoo.utils.seeding import apply_seed


def random_images(seed, count=2):
    """Return images (count, 3, 72, 64) in [0, 1]."""
    return torch.rand(count, 3, 72, 64, generator=torch.Generator().manual_seed(seed))


def fill(model, seed=0, images=None):
    """Draw the bank of a model from images, as training would, and return it ready to predict."""
    apply_seed(seed)
    images = random_images(1, 4) if images is None else images
    model.model.collect(model.pre_processor.transform(images))
    model.fit()
    return model.eval()


@pytest.fixture(scope="session", name="fill")
def _fill():
    """Return the function `fill`; test modules cannot import this file."""
    return fill


@pytest.fixture(scope="session", name="random_images")
def _random_images():
    """Return the function `random_images`."""
    return random_images


@pytest.fixture(scope="session")
def fitted():
    """Return a PatchCore with the embedded weights and a bank of 64 x 64 pixel images."""
    return fill(ZooPatchcore(image_size=64, coreset_sampling_ratio=0.2))
