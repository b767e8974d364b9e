"""The recipes of RD, RD++ and EfficientAD are what the command line takes, for any object."""

import pytest
import torch
from jsonargparse._util import import_object

from zoo.postprocess.rules import MeanStd
from zoo.recipes.experiment import load
from zoo.runs.training import with_precision

DATA = {"init_args": {"root": "data", "category": "part"}}
NAMES = ("embedded", "paper", "mvtec_ad_2_paper", "highres")


@pytest.mark.parametrize("method", ["rd", "rdpp", "efficientad"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_understood(method, name):
    planned = load(f"{method}/{name}", data=DATA)
    model, trainer = planned.model["init_args"], planned.trainer
    limits = [trainer.get("max_steps"), trainer.get("max_epochs")]
    assert any(limit and limit > 0 for limit in limits)
    assert trainer["check_val_every_n_epoch"] >= 1000
    rule = model["post_processor"]["init_args"]["rule"]
    if name == "mvtec_ad_2_paper":
        assert rule["class_path"].endswith(MeanStd.__name__)
        assert rule["init_args"]["k"] == 3
        assert rule["init_args"]["min_area_px"] == 0
        assert model["image_size"] == 256
    if name == "embedded":
        assert model["weights"] in ("embedded", "home_made")


@pytest.mark.parametrize(
    "name",
    ["rd/paper", "rd/mvtec_ad_2_paper", "rdpp/paper", "rdpp/mvtec_ad_2_paper", "inpformer/paper"],
)
def test_published_settings_compute_in_float32_on_a_card_too(name, monkeypatch):
    planned = load(name, data=DATA)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    willing = import_object(planned.model["class_path"])
    assert willing.mixed_precision
    assert with_precision(planned.trainer, willing)["precision"] == "32-true"
