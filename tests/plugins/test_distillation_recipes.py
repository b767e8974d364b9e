"""The recipes of RD, RD++ and EfficientAD are what the command line takes, for any object."""

import pytest

from zoo.command import ZooCLI
from zoo.post.rules import MeanStd

NAMES = ("embedded", "paper", "mvtec_ad_2_paper", "highres")


@pytest.mark.parametrize("method", ["rd", "rdpp", "efficientad"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_understood(method, name):
    words = ["train", "--config", f"{method}/{name}", "--data.root", "data"]
    settings = ZooCLI([*words, "--data.category", "part"], parse_only=True).settings
    model, trainer = settings["model"]["init_args"], settings["trainer"]
    limits = [trainer["max_steps"], trainer["max_epochs"]]
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
