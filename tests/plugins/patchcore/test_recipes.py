"""The recipes of PatchCore are understood, and the run of an ensemble comes back."""

import numpy as np
import pytest
import yaml
from zoo.recipes.command import ZooCLI
from zoo.runs.train import train

import zoo
from zoo.data import layout
from zoo.postprocess.calibration import Calibration
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.files import find_recipe, recipe_names
from zoo.runs.folder import CALIBRATION

RECIPES = [name for name in recipe_names() if name.startswith("patchcore/")]


def test_there_are_recipes():
    assert {"embedded", "paper", "highres", "mvtec_ad_2_paper"} <= {
        name.removeprefix("patchcore/") for name in RECIPES
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_understood(name):
    model = ZooCLI(["train", "--config", name], parse_only=True).settings["model"]
    assert model.class_path.endswith("ZooPatchcore")


def _trained(recipe, mini, tmp_path):
    """Return the command of a run, and a map of its model before and after it was saved."""
    words = ["train", "--config", recipe, "--data.root", str(mini), "--data.category", "part"]
    words += ["--default_root_dir", str(tmp_path / "runs"), "--trainer.accelerator", "cpu"]
    command = ZooCLI(words, parse_only=True)
    folder, metrics = train(command)
    assert metrics["splits"]["test_public"]["n_images"] == 4
    [image, *_] = layout.samples(mini, "part", "validation")
    kept = TorchPredictor(command.model, Calibration.load(folder / CALIBRATION))
    loaded = zoo.load(folder, device="cpu")
    return command, *(each.predict(image.image_path).score_map for each in (kept, loaded))


def test_the_embedded_recipe_runs_and_comes_back(mini, tmp_path):
    _, before, after = _trained("patchcore/embedded", mini, tmp_path)
    assert np.array_equal(before, after)
    assert before.shape == (48, 64)


@pytest.mark.parametrize(("fusion", "admissible"), [("normal", True), ("per_split_minmax", False)])
def test_the_ensemble_recipe_runs_and_comes_back(mini, tmp_path, fusion, admissible):
    recipe = yaml.safe_load(find_recipe("patchcore/mvtec_ad_2_paper").path.read_text("utf-8"))
    recipe["model"]["init_args"] |= {
        "members": [
            {"backbone": "resnet10t", "layers": ["layer2", "layer3"]},
            {"backbone": "densenet121", "layers": ["features.denseblock2"]},
        ],
        "weights": "random",
        "image_size": 64,
        "embedding_dim": 32,
        "fusion": fusion,
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    command, before, after = _trained(str(path), mini, tmp_path)
    assert bool(command.model.transductive) is not admissible
    # The other one had the scales of the split that it judged last.
    assert np.array_equal(before, after) is admissible
