"""ZooSuperAD: what its arguments do, bad input, and the way through runs."""

import numpy as np
import pytest
import torch
from zoo_plugins.superad import ZooSuperAD
from zoo_plugins.superad.selection import chosen_references, kept_in_round, thinned, turned
from zoo_plugins.superad.tokens import TokenBackbone

from zoo.data import MVTecAD2Layout
from zoo.methods import BlobPostProcessor
from zoo.methods.method import score_split
from zoo.postprocess import Calibration
from zoo.predict.openvino_core import openvino_core
from zoo.predict.torch_predictor import TorchPredictor, score_batch
from zoo.runs.training import RunEngine
from zoo.utils.errors import ZooError

TINY = {"backbone": "vit_tiny_patch16_224", "weights": "random", "layers": ["blocks.0", "blocks.1"]}
CNN = {"backbone": "resnet10t", "weights": "random", "layers": ["layer2", "layer3"]}


def _images(seed, *size, n=2):
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(seed))


def _filled(model, images=None, names=None):
    images = _images(1, 64, 96, n=3) if images is None else images
    torch.manual_seed(0)
    for _ in range(2 if model.model.reference_images else 1):
        model.model.learn(images, names or [str(i) for i in range(len(images))])
        model.model.end_pass()
    return model.eval()


@pytest.mark.parametrize("arguments", [TINY, CNN], ids=["transformer", "cnn"])
def test_every_layer_has_a_bank_and_zero_is_what_it_knows(arguments):
    model = _filled(ZooSuperAD(**arguments, shorter_side=64))
    assert len(model.model.banks) == 2
    assert all(len(bank.entries) for bank in model.model.banks)
    known, new = (model.model(images) for images in (_images(1, 64, 96, n=3), _images(2, 64, 96)))
    assert known.anomaly_map.shape == (3, 1, 64, 96)
    assert known.anomaly_map.max() < 1e-6 < 1e-4 < new.anomaly_map.min()


@pytest.mark.parametrize("arguments", [TINY, CNN], ids=["transformer", "cnn"])
def test_an_unknown_layer_names_those_that_exist(arguments):
    with pytest.raises(ZooError, match=r"has no layer blocks\.77; it has .*(blocks\.11|layer4)"):
        ZooSuperAD(**{**arguments, "layers": ["blocks.77"]})


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch16_dinov3"])
def test_both_families_of_transformers_take_any_size_and_can_be_fixed_at_one(name):
    backbone = TokenBackbone(name, "random", ["blocks.1", "blocks.0"])
    images = _images(1, 48, 80)
    with torch.inference_mode():
        maps, fixed = backbone(images), backbone.for_size((48, 80))(images)
    assert [tuple(each.shape[2:]) for each in maps] == [(3, 5)] * 2
    assert len(backbone.network.blocks) == 2
    assert backbone.describe(images).shape == (2, maps[0].shape[1])
    for one, other in zip(maps, fixed, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_an_unknown_backbone_and_another_distance_are_one_line():
    with pytest.raises(ZooError, match=r"knows no backbone 'vit_tny'"):
        ZooSuperAD("vit_tny", "random")
    with pytest.raises(ZooError, match="unknown distance 'cosin'; did you mean 'cosine'"):
        ZooSuperAD(**TINY, distance="cosin")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bank_size": 0}, "bank_size is 0"),
        ({"pooling": 2}, "pooling 2 must be odd"),
        ({"score_top_share": 0.0}, "score_top_share"),
        ({"tile": 40}, "multiples of 16"),
        ({"tile": 64, "reference_images": 4}, "leave tile out"),
        ({"shorter_side": 64, "scale": 0.5}, "give one of them"),
        ({"map_reduction": 0}, "map_reduction is 0"),
    ],
)
def test_impossible_numbers_are_one_line(wrong, message):
    with pytest.raises(ZooError, match=message):
        ZooSuperAD(**TINY, **wrong)


def test_a_tile_larger_than_the_image_is_one_line(mini):
    model = _filled(ZooSuperAD(**TINY, scale=1.0, tile=96))
    data = MVTecAD2Layout(mini, "part")
    data.follow_model(model)
    with pytest.raises(ZooError, match=r"tile of 96 px is larger than an image of 64x48 px"):
        next(score_split(model, data, "test_public"))


def test_tiles_overlap_on_whole_patches_and_seams_are_hard():
    pre_processor = ZooSuperAD(**TINY, scale=0.5, tile=64, overlap=32).pre_processor
    grid = pre_processor.layout.grid(pre_processor.resize.size_of((333, 517)))
    assert grid.size == (160, 256)
    assert all(start % 16 == 0 for start in (*grid.rows, *grid.columns))
    assert pre_processor.seams == "hard"


def test_maps_of_runs_have_a_share_of_the_native_size(mini):
    for tile in (None, 32):
        model = _filled(ZooSuperAD(**TINY, shorter_side=48, tile=tile, map_reduction=4))
        data = MVTecAD2Layout(mini, "part", eval_batch_size=2)
        data.follow_model(model)
        [first, *_] = data.dataloader("test_public")
        assert [each.score_map.shape for each in score_batch(model, first)] == [(12, 16)] * 2


@pytest.mark.parametrize("tile", [None, 32])
def test_the_map_of_an_image_has_a_share_of_its_own_size_in_any_batch(tile, texture):
    model = _filled(ZooSuperAD(**TINY, shorter_side=48, tile=tile, map_reduction=4))
    detector = TorchPredictor(model, Calibration(0.5))
    images = [texture(0, (128, 128)), texture(1, (16, 16)), texture(2, (96, 96))]
    together = list(detector.scored(images, batch_size=3))
    assert [each.score_map.shape for each in together] == [(32, 32), (4, 4), (24, 24)]
    for each, alone in zip(together, detector.scored(images), strict=True):
        np.testing.assert_allclose(each.score_map, alone.score_map, rtol=1e-3, atol=1e-6)


def test_one_image_and_identical_images_fill_banks():
    one = _images(1, 64, 64, n=1)
    model = _filled(ZooSuperAD(**TINY, shorter_side=64, bank_size=5), one.expand(4, -1, -1, -1))
    assert [len(bank.entries) for bank in model.model.banks] == [5, 5]
    alone = _filled(ZooSuperAD(**TINY, shorter_side=64), one)
    assert [len(bank.entries) for bank in alone.model.banks] == [16, 16]  # fewer than asked for
    assert alone.model(_images(2, 64, 64)).anomaly_map.isfinite().all()


def test_a_bank_larger_than_memory_is_one_line():
    model = ZooSuperAD(**TINY, shorter_side=64, bank_budget_mb=1e9)
    with pytest.raises(ZooError, match=r"more than the .* MB of memory"):
        model.model.learn(_images(1, 64, 64), ["a", "b"])


def test_an_empty_bank_says_so():
    with pytest.raises(ZooError, match="fit the model on normal images first"):
        ZooSuperAD(**TINY, shorter_side=64).eval().model(_images(1, 64, 64))
    with pytest.raises(ZooError, match="train on normal images first"):
        ZooSuperAD(**TINY).model.end_pass()


def test_banks_stay_within_their_budget():
    model = ZooSuperAD(**TINY, bank_budget_mb=0.1, half_precision=True)
    _filled(model, _images(1, 224, 224, n=4))
    # Two layers of 192 numbers of two bytes share 100 kB.
    assert [len(bank.entries) for bank in model.model.banks] == [130, 130]
    assert model.model.banks[0].entries.dtype == torch.float16


def test_references_are_chosen_in_a_first_pass_and_learnt_in_a_second(mini, tmp_path):
    model = ZooSuperAD(**TINY, shorter_side=48, reference_images=2, rotations=4)
    assert model.trainer_arguments["max_epochs"] == 2
    learnt = []
    collect = model.model.banks[0].collect
    model.model.banks[0].collect = lambda tokens: (learnt.append(len(tokens)), collect(tokens))
    model.post_processor = None
    RunEngine({"accelerator": "cpu"}, tmp_path).fit(
        model=model, datamodule=MVTecAD2Layout(mini, "part", train_batch_size=1, eval_batch_size=1)
    )
    assert learnt == [1] * 8  # two images in four views
    assert bool(model._is_fitted)
    assert len(model.model.banks[0].entries) == 8 * 3 * 4


def test_turned_views():
    square = _images(3, 16, 16, n=1)
    views = turned(square, 4)
    assert views.shape == (4, 3, 16, 16)
    torch.testing.assert_close(views[0], square[0])
    torch.testing.assert_close(views[2], square[0].flip(1, 2), rtol=0, atol=1e-5)
    quarters = {torch.allclose(views[1], square[0].rot90(k, (1, 2)), atol=1e-5) for k in (1, 3)}
    assert True in quarters
    wide = torch.zeros(1, 3, 20, 40)
    wide[..., 8:12, 18:22] = 1  # stays as large whatever the canvas; mirrored beyond its border
    assert turned(wide, 8)[..., 10:30].sum((1, 2, 3)) == pytest.approx(48, abs=4)


def test_identical_descriptions_give_as_many_references_as_asked_for():
    assert sorted(chosen_references(torch.ones(5, 3), 3).tolist()) == [0, 1, 2]
    assert chosen_references(torch.ones(1, 3), 3).tolist() == [0]


def test_thinning_keeps_what_was_asked_for_whatever_the_tokens():
    generator = torch.Generator().manual_seed(0)
    for features in (torch.randn(500, 4), torch.zeros(500, 4), torch.randn(500, 1).expand(-1, 4)):
        kept = thinned(features, 37, generator)
        assert len(kept) == len(set(kept.tolist())) == 37
    assert thinned(torch.randn(5, 2), 9).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ZooError, match="cannot be kept"):
        thinned(torch.randn(0, 2), 9)


def test_a_round_keeps_at_most_its_target():
    features = torch.randn(400, 3, generator=torch.Generator().manual_seed(1))
    for target in (1, 3, 40, 399, 400):
        kept = kept_in_round(features, target, torch.rand(400))
        assert 0 < int(kept.sum()) <= target or target == 1


def test_the_post_processor_is_the_shared_one():
    assert isinstance(ZooSuperAD(**TINY).post_processor, BlobPostProcessor)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({**TINY, "tile": 48}, id="transformer", marks=pytest.mark.slow),
        pytest.param(CNN, id="cnn"),
    ],
)
def test_an_exported_model_takes_any_number_of_images(tmp_path, arguments):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    model = _filled(ZooSuperAD(**arguments, shorter_side=48), _images(1, 48, 48, n=3))
    options = {"onnx_kwargs": {"opset_version": 18}}
    path = model.to_openvino(tmp_path, input_size=(48, 48), **options)
    graph = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [next(iter(output.get_names())) for output in graph.outputs]
    for n_images in (1, 3):
        images = _images(2, 48, 48, n=n_images)
        with torch.inference_mode():
            expected = model(images)
        found = dict(zip(names, graph(images.numpy()).values(), strict=True))
        for name in ("anomaly_map", "pred_score"):
            np.testing.assert_allclose(found[name], getattr(expected, name), rtol=0, atol=1e-4)


def test_a_transformer_is_exported_for_one_size(tmp_path):
    with pytest.raises(ZooError, match="name the input_size"):
        _filled(ZooSuperAD(**TINY, shorter_side=48)).to_onnx(tmp_path)
