"""Features of a frozen network that are computed once."""

from types import SimpleNamespace

import pytest
import torch
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import ColorJitter, Resize

from zoo.data import MVTecAD2Layout
from zoo.methods.training import FrozenFeatures


def network(images):
    return [images.mean(dim=1, keepdim=True), images[:, :, ::2, ::2]]


@pytest.fixture
def module(mini):
    data = MVTecAD2Layout(mini, "part", cache_mb=0, train_batch_size=2)
    resize = Resize((16, 16))
    data.follow(resize)
    data.setup()
    trainer = SimpleNamespace(datamodule=data, callbacks=[])
    pre_processor = PreProcessor(resize)
    return SimpleNamespace(trainer=trainer, pre_processor=pre_processor, device="cpu")


def test_features_come_back_by_path_whatever_the_batch(module):
    features = FrozenFeatures.fill(module, network, budget_mb=1)
    for batch in module.trainer.datamodule.train_dataloader():
        images = module.pre_processor.transform(batch.image)
        for found, expected in zip(
            features(batch.image_path, images.device), network(images), strict=True
        ):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("budget_mb", [0, 0.001])
def test_what_does_not_fit_is_not_kept(module, budget_mb):
    assert FrozenFeatures.fill(module, network, budget_mb) is None


def test_what_is_no_dataset_of_whole_images_is_not_kept(module):
    module.trainer.datamodule.train_data = [1, 2]
    assert FrozenFeatures.fill(module, network, budget_mb=1) is None


def test_augmented_images_have_no_features_to_keep(module):
    module.trainer.datamodule.train_data.augmentations = ColorJitter(0.1)
    assert FrozenFeatures.fill(module, network, budget_mb=1) is None
