"""Several backbones: one scale, from normal validation images."""

import shutil

import pytest
import torch
from zoo_plugins.patchcore import Member, ZooPatchcore

from zoo.data import MVTecAD2Layout
from zoo.methods.method import score_split
from zoo.runs.training import RunEngine
from zoo.utils.errors import ZooError
from zoo.utils.seeding import apply_seed

MEMBERS = [
    Member(backbone="resnet10t", layers=["layer2"]),
    Member(backbone="densenet121", layers=["features.denseblock2"]),
]


def _model(**options):
    apply_seed(0)
    options = {"embedding_dim": 32, "pretrain_dim": 64, "image_size": 64, **options}
    return ZooPatchcore(weights="random", members=MEMBERS, coreset_sampling_ratio=0.2, **options)


def _fitted(root, folder, **options):
    model = _model(**options)
    model.post_processor = None
    data = MVTecAD2Layout(root=root, category="part")
    settings = {"accelerator": "cpu", "devices": 1, "max_epochs": 1}
    RunEngine(settings, folder).fit(model=model, datamodule=data)
    return model.eval(), data


def test_members_have_banks_of_their_own(mini, tmp_path):
    model, _ = _fitted(mini, tmp_path)
    first, second = model.model.members
    assert first.memory_bank.shape == second.memory_bank.shape == (51, 32)
    assert not torch.equal(first.memory_bank, second.memory_bank)


def test_validation_maps_of_every_member_have_mean_zero_and_deviation_one(mini, tmp_path):
    model, data = _fitted(mini, tmp_path)
    maps = {index: [] for index in range(2)}
    for batch in data.dataloader("validation"):
        images = model.pre_processor.transform(batch.image)
        for index, member in enumerate(model.model.members):
            offset, divisor = model.model.scale[index]
            with torch.no_grad():
                maps[index].append((member(images)[1] - offset) / divisor)
    for of_member in maps.values():
        values = torch.cat(of_member)
        assert float(values.mean()) == pytest.approx(0, abs=1e-4)
        assert float(values.std()) == pytest.approx(1, abs=1e-3)


def test_the_map_is_the_mean_of_the_scaled_members(mini, tmp_path):
    model, _ = _fitted(mini, tmp_path)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result = model.model(images)
        parts = [member(images) for member in model.model.members]
    offset, divisor = model.model.scale.unbind(1)
    for index, part in enumerate((result.pred_score, result.anomaly_map)):
        both = [(parts[i][index] - offset[i]) / divisor[i] for i in range(2)]
        torch.testing.assert_close(part, (both[0] + both[1]) / 2)


def test_the_result_of_an_image_does_not_depend_on_others(mini, tmp_path):
    model, data = _fitted(mini, tmp_path)
    before = [scored.score for scored in score_split(model, data, "test_public")]
    shutil.rmtree(mini / "part" / "test_public" / "bad")
    after = [scored.score for scored in score_split(model, data, "test_public")]
    assert after == pytest.approx(before[-len(after) :], rel=1e-5)


def test_scales_travel_with_the_model(mini, tmp_path):
    model, _ = _fitted(mini, tmp_path)
    other = _model().eval()
    other.model.load_state_dict(model.model.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(other.model(images).anomaly_map, model.model(images).anomaly_map)


def test_without_validation_images_it_says_so(mini, tmp_path, fill):
    model = fill(_model())
    with pytest.raises(ZooError, match="no common scale yet: fit with normal validation images"):
        model(torch.rand(1, 3, 64, 64))
    with pytest.raises(ZooError, match="2 backbones need validation images"):
        model.model.measure_scales([])


def test_backbones_must_agree_on_the_normalisation():
    members = [
        Member(backbone="resnet10t", layers=["layer2"]),
        Member(backbone="tf_efficientnet_lite0", layers=["blocks.2"]),
    ]
    with pytest.raises(ZooError, match="differently normalised images: choose others"):
        ZooPatchcore(weights="random", members=members)


def test_a_member_without_its_layer_names_those_that_exist():
    with pytest.raises(ZooError, match=r"'densenet121' has no layer layer2; it has .*denseblock1"):
        ZooPatchcore(weights="random", members=[Member(backbone="densenet121", layers=["layer2"])])
