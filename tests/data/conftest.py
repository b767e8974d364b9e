"""A datamodule over the minimal data set."""

import pytest
from torchvision.transforms.v2 import Compose, Normalize, Resize

from zoo.data.datamodule import MVTecAD2Layout

RESIZE = Compose([Resize((32, 40), antialias=True), Normalize([0.5] * 3, [0.5] * 3)])


@pytest.fixture
def data(mini):
    """Return a function that sets up a datamodule at model size 32x40 (height, width)."""

    def build(category="part", transform=RESIZE, **options):
        datamodule = MVTecAD2Layout(mini, category, **options)
        datamodule.follow(transform)
        datamodule.setup()
        return datamodule

    return build
