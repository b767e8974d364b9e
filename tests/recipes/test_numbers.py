"""Numbers of a recipe are checked by the name of their setting, in every section alike."""

from __future__ import annotations

import pytest

from zoo.cli import main
from zoo.recipes.files import find_recipe, recipe_names
from zoo.recipes.numbers import check_numbers
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

RECIPE = """\
model: {class_path: ZooPatchcore, init_args: {image_size: %s, weights: random}}
data: {class_path: zoo.data.MVTecAD2Layout, init_args: {train_batch_size: %s}}
trainer: {max_steps: %s}
"""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            {"model": {"image_size": -64}},
            "model.image_size is -64, which is not in bounds: write a number from 1 to",
        ),
        ({"model": {"image_size": [64, 0]}}, r"model.image_size\[1\] is 0"),
        ({"model": {"shorter_side": 10**9}}, "shorter_side is 1000000000"),
        ({"data": {"train_batch_size": 0}}, "data.train_batch_size is 0"),
        ({"data": {"eval_batch_size": -1}}, "eval_batch_size is -1"),
        (
            {"data": {"num_workers": 10**6}},
            "num_workers is 1000000, which is not in bounds: write a number from 0 to 256",
        ),
        (
            {"seed_everything": -1},
            "seed_everything is -1, which is not in bounds: write a number from 0",
        ),
        ({"data": {"seed": -1}}, "data.seed is -1"),
        (
            {"trainer": {"max_steps": 0}},
            "trainer.max_steps is 0, which is not in bounds: write a number from 1",
        ),
        ({"trainer": {"max_epochs": -2}}, "max_epochs is -2"),
        (
            {"trainer": {"limit_train_batches": 0.0}},
            "is 0.0, which is not in bounds: write a number above 0",
        ),
        (
            {"model": {"coreset_sampling_ratio": 1.5}},
            "is 1.5, which is not in bounds: write a number from 0 to 1",
        ),
        ({"rule": {"q": 2}}, "rule.q is 2"),
        ({"rule": {"border_px": -1}}, "rule.border_px is -1"),
        ({"tiling": {"window": 0}}, "tiling.window is 0"),
        (
            {"model": {"sigma": float("nan")}},
            "model.sigma is nan, which is not in bounds: write a finite number",
        ),
        ({"anything": [{"k": float("inf")}]}, r"anything\[0\].k is inf"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(data, says):
    with pytest.raises(ZooError, match=f"r.yaml: .*{says}"):
        check_numbers(data, "r.yaml")


def test_flags_texts_and_lightnings_no_limit_are_left_alone():
    check_numbers({"max_steps": -1, "max_epochs": -1, "seed": True, "image_size": "-1", "q": None})


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_pass(name):
    check_numbers(read_yaml(find_recipe(name).path), name)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((-64, 8, 5), "r.yaml: model.init_args.image_size is -64"),
        ((64, 0, 5), "r.yaml: data.init_args.train_batch_size is 0"),
        ((64, 8, 0), "r.yaml: trainer.max_steps is 0"),
        (("'-64'", 8, 5), "model.init_args.image_size is -64"),
    ],
)
def test_a_recipe_is_refused_with_file_field_value_and_mend(tmp_path, capsys, values, says):
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE % values)
    assert main(["train", "--config", str(path)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert "write a number from" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [("--model.image_size", "-64"), ("--seed_everything", "-1"), ("--trainer.max_epochs", "0")],
)
def test_what_is_typed_is_checked_as_well(tmp_path, capsys, option, value):
    words = ["train", "--config", "quickstart", "--data.root", str(tmp_path), option, value]
    assert main(words) == 1
    assert f"is {value}, which is not in bounds: write a number from" in capsys.readouterr().err
