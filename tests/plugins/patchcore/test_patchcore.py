"""ZooPatchcore against anomalib's Patchcore: another way to the same numbers."""

import pytest
import torch
from anomalib.models import Patchcore
from torchvision.transforms.v2 import Normalize, Resize
from zoo_plugins.patchcore import ZooPatchcore

from zoo.errors import ZooError
from zoo.method import whole_image
from zoo.post import BlobPostProcessor
from zoo.seeding import apply_seed

LAYERS = ("blocks.2", "blocks.4")


def _images(seed, count=2):
    return torch.rand(count, 3, 72, 64, generator=torch.Generator().manual_seed(seed))


def _filled(model, seed=0):
    """Fill the bank of a model from images, as training would, and return it ready to predict."""
    apply_seed(seed)  # the coreset's projection is drawn by numpy
    model.train()
    model.model(model.pre_processor.transform(_images(1, 4)))
    model.fit()
    return model.eval()


@pytest.fixture(scope="module")
def ours():
    return _filled(ZooPatchcore(image_size=64, coreset_sampling_ratio=0.2))


@pytest.fixture(scope="module")
def anomalibs():
    stock = Patchcore(
        backbone="efficientnet_lite0_embedded",
        layers=list(LAYERS),
        pre_trained=True,
        coreset_sampling_ratio=0.2,
        pre_processor=whole_image(64, "tf_efficientnet_lite0", "embedded"),
    )
    return _filled(stock)


def test_the_bank_is_anomalibs(ours, anomalibs):
    assert ours.model.memory_bank.shape == anomalibs.model.memory_bank.shape
    torch.testing.assert_close(
        ours.model.memory_bank, anomalibs.model.memory_bank, rtol=0, atol=1e-6
    )


def test_maps_and_scores_are_anomalibs(ours, anomalibs):
    image = ours.pre_processor.transform(_images(2))
    with torch.no_grad():
        one, other = ours.model(image), anomalibs.model(image)
    assert one.anomaly_map.shape[-2:] == (64, 64)
    assert one.anomaly_map.max() > one.anomaly_map.min() > 0
    torch.testing.assert_close(one.anomaly_map, other.anomaly_map, rtol=0, atol=1e-6)
    torch.testing.assert_close(one.pred_score, other.pred_score, rtol=0, atol=1e-6)


def test_equal_seeds_give_equal_banks_and_maps(ours):
    again = _filled(ZooPatchcore(image_size=64, coreset_sampling_ratio=0.2))
    assert torch.equal(again.model.memory_bank, ours.model.memory_bank)
    with torch.no_grad():
        assert torch.equal(again(_images(2)).anomaly_map, ours(_images(2)).anomaly_map)


def test_a_defect_scores_higher_where_it_is(ours):
    images = _images(1, 1).repeat(2, 1, 1, 1)
    images[1, :, 20:44, 20:44] = 0
    with torch.no_grad():
        maps = ours(images).anomaly_map.squeeze(1)
        scores = ours(images).pred_score
    assert scores[1] > scores[0]
    inside = maps[1, 24:40, 24:40].mean() - maps[0, 24:40, 24:40].mean()
    outside = maps[1, :, :4].mean() - maps[0, :, :4].mean()
    assert inside > 2 * outside


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("backbone", "weights"), [("tf_efficientnet_lite0", "embedded")])
def test_the_constructor_touches_no_network(backbone, weights):
    model = ZooPatchcore(backbone, weights, LAYERS)
    assert isinstance(model.post_processor, BlobPostProcessor)
    assert not model.model.feature_extractor.feature_extractor.training


@pytest.mark.usefixtures("no_network")
def test_another_backbone_works_with_random_weights():
    model = ZooPatchcore("resnet10t", "random", ("layer2", "layer3"), image_size=64)
    _filled(model)
    with torch.no_grad():
        assert model(_images(2)).anomaly_map.isfinite().all()


@pytest.mark.parametrize("layers", [("blocks.2", "blocks.9"), ("layer2",), ()])
def test_an_unknown_layer_names_those_that_exist(layers):
    with pytest.raises(ZooError, match=r"has no layer.*it has .*blocks\.2.*blocks\.4"):
        ZooPatchcore(weights="random", layers=layers)


def test_the_order_in_which_layers_are_written_does_not_matter():
    def features(layers):
        torch.manual_seed(0)
        model = ZooPatchcore(weights="random", layers=layers, image_size=64)
        maps = model.model.feature_extractor(_images(3))
        return {key: tuple(value.shape) for key, value in maps.items()}

    assert features(LAYERS) == features(LAYERS[::-1]) == features([*LAYERS, LAYERS[0]])


@pytest.mark.parametrize(
    ("image_size", "expected"), [(96, [96, 96]), ((64, 128), [64, 128]), ([64, 128], [64, 128])]
)
def test_image_size_is_a_side_or_height_and_width(image_size, expected):
    model = ZooPatchcore(weights="random", image_size=image_size)
    resize, normalize = model.pre_processor.transform.transforms
    assert isinstance(resize, Resize)
    assert list(resize.size) == expected
    assert isinstance(normalize, Normalize)


@pytest.mark.parametrize(
    ("arguments", "mean"),
    [((), [127 / 255] * 3), (("resnet10t", "random", ("layer2",)), [0.485, 0.456, 0.406])],
)
def test_statistics_follow_the_weights(arguments, mean):
    normalize = ZooPatchcore(*arguments).pre_processor.transform.transforms[1]
    assert normalize.mean == pytest.approx(mean)
