"""Weights from the hub: the exact tag, what is cached, and one line when nobody answers."""

import urllib.error
import urllib.request

import pytest
import timm
import torch
from safetensors.torch import save_file

from zoo.methods import weights
from zoo.methods.weights import create_backbone
from zoo.utils.errors import ZooError


@pytest.mark.usefixtures("no_network")
def test_hub_wants_the_exact_tag_and_lists_them():
    with pytest.raises(ZooError, match=r"wide_resnet50_2\.racm_in1k.*wide_resnet50_2\.tv_in1k"):
        create_backbone("wide_resnet50_2", "hub")


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no route"), TimeoutError(), ConnectionResetError()]
)
def test_hub_without_a_network_is_one_line_after_one_attempt(monkeypatch, failure):
    attempts = []

    def fail(request, timeout):
        attempts.append(timeout)
        raise failure

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args: None)
    with pytest.raises(ZooError, match="does not answer: use weights: embedded, or the path"):
        create_backbone("resnet10t.c3_in1k", "hub")
    assert len(attempts) == 1
    assert attempts[0] <= 10


def test_a_hub_that_breaks_off_is_one_line(monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("cut off\nin the middle")

    monkeypatch.setattr(weights, "answers", lambda address: True)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args: None)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", broken)
    with pytest.raises(ZooError, match="did not arrive: cut off in the middle"):
        create_backbone("resnet10t.c3_in1k", "hub")


@pytest.mark.usefixtures("no_network")
def test_a_file_in_the_hubs_cache_needs_no_network(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    state = timm.create_model("resnet10t", pretrained=False).state_dict()
    save_file(state, path)
    asked = []

    def cached(repository, name):
        asked.append((repository, name))
        return str(path) if name == path.name else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    loaded = create_backbone("resnet10t.c3_in1k", "hub").state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    assert asked == [("timm/resnet10t.c3_in1k", "model.safetensors")]
