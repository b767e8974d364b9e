"""ZooPatchcore: what its arguments do, and what it says when they cannot be met."""

import pytest
import torch
from torchvision.transforms.v2 import Normalize, Resize
from zoo_plugins.patchcore import ZooPatchcore, score_map

from zoo.methods import BlobPostProcessor
from zoo.utils.errors import ZooError

LAYERS = ("blocks.2", "blocks.4")


def _bank(model):
    [member] = model.model.members
    return member.memory_bank


def test_maps_have_the_size_of_the_input(fitted, random_images):
    with torch.no_grad():
        result = fitted.model(fitted.pre_processor.transform(random_images(2)))
    assert result.anomaly_map.shape == (2, 1, 64, 64)
    assert result.pred_score.shape == (2,)
    assert result.anomaly_map.max() > result.anomaly_map.min() > 0


def test_the_bank_holds_a_share_of_the_patches(fitted):
    assert _bank(fitted).shape == (int(0.2 * 4 * 8 * 8), 40 + 112)


def test_equal_seeds_give_equal_banks_and_maps(fitted, fill, random_images):
    again = fill(ZooPatchcore(image_size=64, coreset_sampling_ratio=0.2))
    assert torch.equal(_bank(again), _bank(fitted))
    with torch.no_grad():
        assert torch.equal(
            again(random_images(2)).anomaly_map, fitted(random_images(2)).anomaly_map
        )


def test_a_defect_scores_higher_where_it_is(fitted, random_images):
    images = random_images(1, 1).repeat(2, 1, 1, 1)
    images[1, :, 20:44, 20:44] = 0
    with torch.no_grad():
        maps = fitted(images).anomaly_map.squeeze(1)
        scores = fitted(images).pred_score
    assert scores[1] > scores[0]
    inside = maps[1, 24:40, 24:40].mean() - maps[0, 24:40, 24:40].mean()
    outside = maps[1, :, :4].mean() - maps[0, :, :4].mean()
    assert inside > 2 * outside


def test_images_of_the_bank_score_zero(fill, random_images):
    model = fill(ZooPatchcore(image_size=64, coreset_sampling_ratio=1.0))
    with torch.no_grad():
        result = model.model(model.pre_processor.transform(random_images(1, 4)))
    assert not result.pred_score.any()


def test_a_bank_of_a_given_size(fill):
    assert len(_bank(fill(ZooPatchcore(image_size=64, bank_size=37)))) == 37


def test_more_patches_than_there_are_keeps_them_all_and_says_so(fill, capsys):
    model = fill(ZooPatchcore(image_size=64, bank_size=1000))
    assert len(_bank(model)) == 4 * 64
    assert "the bank keeps all 256 patches, fewer than 1,000" in capsys.readouterr().out


def test_drawing_a_bank_says_how_far_it_is(random_images):
    model, said = ZooPatchcore(image_size=64, bank_size=37), []
    model.model.collect(model.pre_processor.transform(random_images(1, 4)))
    model.model.fit_bank(said.append)
    assert said[-1] == "memory bank 1/1: 37/37 patches"


def test_a_small_budget_samples_and_says_so(fill, capsys):
    model = fill(ZooPatchcore(image_size=64, bank_size=20, bank_budget_mb=100 * 152 * 4 / 1e6))
    assert len(_bank(model)) == 20
    assert "100 of 256 patches fit into bank_budget_mb" in capsys.readouterr().out


def test_a_bank_larger_than_the_budget_is_one_line(fill):
    model = ZooPatchcore(image_size=64, bank_size=200, bank_budget_mb=100 * 152 * 4 / 1e6)
    with pytest.raises(ZooError, match=r"a memory bank of 200 x 152 .* more than bank_budget_mb"):
        fill(model)


def test_a_budget_larger_than_the_machine_is_one_line(fill):
    with pytest.raises(ZooError, match=r"more than the .* MB of memory here: lower it"):
        fill(ZooPatchcore(image_size=64, bank_budget_mb=1e9))


def test_identical_images_leave_each_patch_once(fill, random_images, capsys):
    one = random_images(1, 1)
    model = fill(ZooPatchcore(image_size=64, bank_size=100), images=one.repeat(4, 1, 1, 1))
    assert len(_bank(model)) == 64
    assert "64 patches: the others are the same again" in capsys.readouterr().out


def test_one_flat_image_is_enough(fill):
    model = fill(ZooPatchcore(image_size=64), images=torch.full((1, 3, 72, 64), 0.5))
    with torch.no_grad():
        assert model(torch.rand(1, 3, 72, 64)).anomaly_map.isfinite().all()


def test_no_image_is_one_line():
    with pytest.raises(ZooError, match="no patches were collected"):
        ZooPatchcore(image_size=64).fit()
    with pytest.raises(ZooError, match="the memory bank is empty"):
        ZooPatchcore(image_size=64).eval()(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gives_almost_the_same(fitted, fill, random_images, dtype):
    model = fill(ZooPatchcore(image_size=64, coreset_sampling_ratio=0.2, bank_dtype=dtype))
    assert _bank(model).dtype == getattr(torch, dtype)
    with torch.no_grad():
        one, other = (each(random_images(2)).anomaly_map for each in (model, fitted))
    torch.testing.assert_close(one, other, rtol=0.05, atol=0)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("backbone", "weights"), [("tf_efficientnet_lite0", "embedded")])
def test_the_constructor_touches_no_network(backbone, weights):
    model = ZooPatchcore(backbone, weights, LAYERS)
    assert isinstance(model.post_processor, BlobPostProcessor)


def test_the_backbone_stays_as_it_is():
    model = ZooPatchcore(image_size=64).train()
    assert not any(module.training for module in model.model.members[0].backbone.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.usefixtures("no_network")
def test_another_backbone_works_with_random_weights(fill, random_images):
    model = fill(ZooPatchcore("resnet10t", "random", ("layer2", "layer3"), image_size=64))
    with torch.no_grad():
        assert model(random_images(2)).anomaly_map.isfinite().all()


@pytest.mark.parametrize("layers", [("blocks.2", "blocks.9"), ("layer2",), ()])
def test_an_unknown_layer_names_those_that_exist(layers):
    with pytest.raises(ZooError, match=r"has no layer.*it has .*blocks\.2.*blocks\.4"):
        ZooPatchcore(weights="random", layers=layers)


def test_the_order_in_which_layers_are_written_does_not_matter(random_images):
    def features(layers):
        torch.manual_seed(0)
        model = ZooPatchcore(weights="random", layers=layers, image_size=64)
        return [tuple(each.shape) for each in model.model.members[0].backbone(random_images(3))]

    assert features(LAYERS) == features(LAYERS[::-1]) == features([*LAYERS, LAYERS[0]])


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"image_size": 96}, [96, 96]),
        ({"image_size": (64, 128)}, [64, 128]),
        ({"image_size": [64, 128]}, [64, 128]),
        ({"image_size": 96, "keep_aspect": True}, [96]),
    ],
)
def test_image_size_is_a_side_or_height_and_width(arguments, size):
    model = ZooPatchcore(weights="random", **arguments)
    resize, normalize = model.pre_processor.transform.transforms
    assert isinstance(resize, Resize)
    assert list(resize.size) == size
    assert isinstance(normalize, Normalize)


def test_an_image_keeps_its_aspect_if_it_shall(fill, random_images):
    model = fill(ZooPatchcore(image_size=64, keep_aspect=True))
    with torch.no_grad():
        assert model(random_images(2)).anomaly_map.shape == (2, 1, 72, 64)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"image_size": (64, 96), "keep_aspect": True}, "keep_aspect needs one number"),
        ({"coreset_sampling_ratio": 0.0}, r"coreset_sampling_ratio must lie in \(0, 1\], not 0"),
        ({"coreset_sampling_ratio": 1.5}, r"coreset_sampling_ratio must lie in \(0, 1\], not 1.5"),
        ({"bank_size": 0}, "bank_size must be 1 or more"),
        ({"unit_length": True, "embedding_dim": 64}, "leave out embedding_dim"),
    ],
)
def test_numbers_out_of_range_are_one_line(arguments, says):
    with pytest.raises(ZooError, match=says):
        ZooPatchcore(weights="random", **arguments)


@pytest.mark.parametrize(
    ("arguments", "mean"),
    [((), [127 / 255] * 3), (("resnet10t", "random", ("layer2",)), [0.485, 0.456, 0.406])],
)
def test_statistics_follow_the_weights(arguments, mean):
    normalize = ZooPatchcore(*arguments).pre_processor.transform.transforms[1]
    assert normalize.mean == pytest.approx(mean)


@pytest.mark.parametrize("sigma", [0.0, 4.0])
def test_a_long_axis_is_smoothed_as_a_short_one(monkeypatch, sigma):
    patch_scores = torch.rand(2, 5, 40, generator=torch.Generator().manual_seed(0))
    whole = score_map.smooth_map(patch_scores, (40, 320), sigma)
    monkeypatch.setattr(score_map, "BLOCK", 70)
    score_map.axis_blocks.cache_clear()
    blocks = score_map.smooth_map(patch_scores, (40, 320), sigma)
    score_map.axis_blocks.cache_clear()
    assert blocks.shape == (2, 1, 40, 320)
    torch.testing.assert_close(blocks, whole, rtol=0, atol=1e-6)
