"""Recipes: found by name and by path, and free of objects."""

from pathlib import Path

import pytest

import zoo
from zoo.recipes import files as recipes
from zoo.recipes.files import (
    Recipe,
    check_object_free,
    find_recipe,
    known_texts,
    method_of,
    recipe_names,
    recipes_for,
)
from zoo.testing.objects import OBJECT_NAMES
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

EMBEDDED = """
# PatchCore on a CPU.
# More about it.
model:
  class_path: zoo_plugins.patchcore.ZooPatchcore
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Pretend that `zoo` was imported from a checkout with three recipes."""
    (tmp_path / "zoo").mkdir()
    (tmp_path / "recipes" / "patchcore").mkdir(parents=True)
    (tmp_path / "recipes" / "quickstart.yaml").write_text("model: ZooPatchcore\n")
    (tmp_path / "recipes" / "patchcore" / "embedded.yaml").write_text(EMBEDDED)
    (tmp_path / "recipes" / "broken.yaml").write_text("model: [")
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "zoo" / "__init__.py"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path


@pytest.mark.usefixtures("checkout")
def test_names_are_paths_without_suffix():
    assert recipe_names() == ["broken", "patchcore/embedded", "quickstart"]


def test_a_wheel_carries_its_recipes_inside_the_package(checkout):
    (checkout / "zoo" / "_recipes").mkdir()
    (checkout / "zoo" / "_recipes" / "packaged.yaml").write_text("model: A\n")
    assert recipe_names() == ["packaged"]


def test_a_stale_copy_in_site_packages_is_not_read(checkout, monkeypatch):
    stale = checkout / "site-packages" / "zoo" / "_recipes"
    stale.mkdir(parents=True)
    (stale / "stale.yaml").write_text("model: A\n")
    monkeypatch.syspath_prepend(checkout / "site-packages")
    assert "stale" not in recipe_names()


@pytest.mark.parametrize(
    "text",
    [
        "patchcore/embedded",
        "patchcore/embedded.yaml",
        "recipes/patchcore/embedded.yaml",
        "./recipes/patchcore/embedded.yaml",
        "recipes\\patchcore\\embedded.yaml",
        "../recipes/patchcore/embedded.yaml",
    ],
)
def test_a_packaged_recipe_is_found_however_it_is_typed(checkout, text):
    recipe = find_recipe(text)
    assert recipe.name == "patchcore/embedded"
    assert recipe.slug == "patchcore-embedded"
    assert recipe.path.resolve() == checkout / "recipes" / "patchcore" / "embedded.yaml"
    assert recipe.description == "PatchCore on a CPU."
    assert method_of(recipe) == "ZooPatchcore"


@pytest.mark.usefixtures("checkout")
def test_an_existing_file_wins_and_is_called_by_its_stem():
    Path("recipes/patchcore").mkdir(parents=True)
    Path("recipes/patchcore/embedded.yaml").write_text("model:\n  class_path: a.B\n")
    recipe = find_recipe("recipes/patchcore/embedded.yaml")
    assert recipe == Recipe("embedded", Path("recipes/patchcore/embedded.yaml"))
    assert recipe.description == ""
    assert method_of(recipe) == "B"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quikstart", ["no recipe 'quikstart'", "did you mean 'quickstart'?"]),
        ("patchcore", ["did you mean 'patchcore/embedded'?"]),
        ("mine/quickstar.yaml", ["no file or recipe"]),
        ("zzz", ["choose from broken, patchcore/embedded, quickstart"]),
    ],
)
def test_an_unknown_recipe_gets_a_suggestion(text, words):
    with pytest.raises(ZooError) as error:
        find_recipe(text)
    for word in words:
        assert word in str(error.value)


@pytest.mark.usefixtures("checkout")
def test_recipes_of_a_class_leave_out_broken_ones():
    found = [recipe.name for recipe in recipes_for("ZooPatchcore")]
    assert found == ["patchcore/embedded", "quickstart"]
    assert recipes_for("Unknown") == []


@pytest.mark.parametrize("text", ["", "model:\n", "data: 1\n", "model:\n  init_args: {}\n", "[]"])
def test_a_recipe_without_a_model_says_what_to_add(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ZooError, match=r"mine\.yaml: names no model; add 'model:'"):
        method_of(find_recipe(str(path)))


def test_broken_yaml_is_one_line_that_names_the_place(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model:\n  - [\n")
    with pytest.raises(ZooError, match=r"mine\.yaml: not valid YAML \(.*line 3") as error:
        method_of(find_recipe(str(path)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"data": {"init_args": {"category": "vial"}}}, "'data.init_args.category'"),
        ({"a": [{"b": "x"}, {"b": "Vial"}]}, "'a[1].b'"),
        ({"a": ("x", " vial ")}, "'a[1]'"),
    ],
)
def test_a_recipe_may_name_no_object(config, place):
    with pytest.raises(ZooError) as error:
        check_object_free(config, ["can", "vial"])
    assert place in str(error.value)


@pytest.mark.parametrize(
    "model",
    [
        {"thresholds": {"can": 0.3}},
        {"thresholds": {"by_object": [{"Sheet-Metal": 0.3}]}},
        {"thresholds": {"can_v2": 0.3}},
        {"weights": "models/can.pth"},
        {"weights": "$W/sheet_metal_v2/net.pth"},
        {"prompts": ["a photo of a can."]},
        {"prompts": "Sheet metal, rusty"},
        {"rule": {"class_path": "my_rules.can.Rule"}},
        {"rule": {"class_path": "x.Rule", "init_args": {"of": {"CAN": 1}}}},
        {"rule": {"class_path": "x.Rule", "dict_kwargs": {"can": 1}}},
        {"folder": "images/01"},
        {"folder": "images/01.png"},
        {"thresholds": {"01": 0.1}},
    ],
)
def test_keys_path_parts_and_words_are_looked_at(model):
    config = {"model": {"class_path": "a.B", "init_args": model}}
    with pytest.raises(ZooError, match="the recipe names the object") as error:
        check_object_free(config, ["can", "sheet_metal", "01"])
    assert "\n" not in str(error.value)
    check_object_free(config, ["can", "sheet_metal", "01"], ["CAN", "sheet_metal", "01"])


def test_other_words_and_the_names_of_arguments_are_no_objects():
    arguments = {"can": "scan", "path": "canned/american.pth", "n": 3, "x": None, "q": "0.01"}
    rule = {"class_path": "zoo.postprocess.can.Rule", "init_args": {"can": 1}}
    config = {"model": {"class_path": "a.B", "init_args": {**arguments, "rule": rule}}}
    check_object_free(config, ["can", "sheet_metal", "01"])


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_no_packaged_recipe_is_refused_for_what_an_object_is_called(name):
    objects = {"model", "data", "tile", "good", "normal", "small", "median", "layer2", "embedded"}
    check_object_free(read_yaml(find_recipe(name).path), objects, known=known_texts())
    check_object_free(read_yaml(find_recipe(name).path), OBJECT_NAMES)


@pytest.mark.parametrize("name", recipes.recipe_names())
def test_every_packaged_recipe_names_its_model_and_describes_itself(name):
    recipe = find_recipe(name)
    assert method_of(recipe)
    assert recipe.description
