"""The recipes of PatchCore are understood, and the run of an ensemble comes back."""

import numpy as np
import pytest
import yaml

from zoo.data import layout
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.experiment import load
from zoo.recipes.files import find_recipe, recipe_names
from zoo.runs.run import fit_here, run

RECIPES = [name for name in recipe_names() if name.startswith("patchcore/")]


def test_there_are_recipes():
    assert {"embedded", "paper", "highres", "mvtec_ad_2_paper"} <= {
        name.removeprefix("patchcore/") for name in RECIPES
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_understood(name):
    planned = load(name, data={"init_args": {"root": "data", "category": "part"}})
    assert planned.model["class_path"].endswith("ZooPatchcore")


def _trained(recipe, mini, tmp_path):
    """Return the model of a run, and a map of it before and after it was saved."""
    planned = load(
        recipe,
        data={"init_args": {"root": str(mini), "category": "part"}},
        out=tmp_path / "runs",
        overrides={"trainer.accelerator": "cpu"},
    )
    models = []

    def fit(*args):
        fitted = fit_here(*args)
        models.append(fitted.model)
        return fitted

    made = run(planned, fit=fit)
    assert made.metrics["splits"]["test_public"]["n_images"] == 4
    [image, *_] = layout.samples(mini, "part", "validation")
    kept = TorchPredictor(models[0], made.calibration)
    predictors = (kept, made.load(device="cpu"))
    return models[0], *(each.predict(image.image_path).anomaly_map for each in predictors)


@pytest.mark.slow
def test_the_embedded_recipe_runs_and_comes_back(mini, tmp_path):
    _, before, after = _trained("patchcore/embedded", mini, tmp_path)
    assert np.array_equal(before, after)
    assert before.shape == (48, 64)


def test_the_ensemble_recipe_runs_and_comes_back(mini, tmp_path):
    recipe = yaml.safe_load(find_recipe("patchcore/mvtec_ad_2_paper").path.read_text("utf-8"))
    recipe["model"]["init_args"] |= {
        "members": [
            {"backbone": "resnet10t", "layers": ["layer2", "layer3"]},
            {"backbone": "densenet121", "layers": ["features.denseblock2"]},
        ],
        "weights": "random",
        "image_size": 64,
        "embedding_dim": 32,
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    _, before, after = _trained(path, mini, tmp_path)
    assert np.array_equal(before, after)
