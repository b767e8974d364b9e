"""The table of recipes: what is read from the YAML, and that the words are those of the facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from zoo.methods.registry import methods
from zoo.recipes.files import Recipe, find_recipe
from zoo.results.catalogue import facts_of, recipe_facts, recipe_row
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

ROOT = Path(__file__).parents[2]
METHODS = [each for each in methods().values() if each.distribution == "anomalib-zoo"]
PACKAGED = list(recipe_facts(METHODS))


def facts(tmp_path, comment="# One line.\n", class_path="ZooPatchcore", config=(), **arguments):
    """Return the facts of a recipe whose model has these arguments."""
    path = tmp_path / "mine.yaml"
    content = {"model": {"class_path": class_path, "init_args": arguments}, **dict(config)}
    path.write_text(comment + yaml.safe_dump(content), encoding="utf-8")
    return facts_of(Recipe("mine", path), METHODS)


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        ({}, "-"),
        ({"image_size": 256}, "256 x 256"),
        ({"image_size": [256, 512]}, "256 x 512"),
        ({"image_size": 288, "keep_aspect": True}, "shorter side 288"),
        ({"shorter_side": 672}, "shorter side 672"),
        ({"scale": 0.5}, "0.5 of native"),
        ({"scale": 0.5, "tile": 630}, "0.5 of native, tiles of 630"),
        (
            {"t": [{"class_path": "a.Resize", "init_args": {"size": [64, 96]}}]},
            "64 x 96",
        ),
    ],
)
def test_the_size_of_images_is_read_from_the_arguments(tmp_path, arguments, images):
    assert facts(tmp_path, **arguments).images == images


@pytest.mark.parametrize(
    ("tiling", "images"),
    [
        ({"window": 1024}, "windows of 1024 at 518"),
        ({"window": 1024, "side": 256}, "windows of 1024 at 256"),
    ],
)
def test_tiles_are_named(tmp_path, tiling, images):
    assert facts(tmp_path, config={"tiling": tiling}, image_size=518).images == images


@pytest.mark.parametrize(
    ("class_path", "trainer", "training"),
    [
        ("ZooPatchcore", {}, "one pass"),
        ("anomalib.models.Padim", {}, "-"),
        ("ZooEfficientAd", {"max_steps": 70000, "max_epochs": 9}, "70,000 steps"),
        ("ZooEfficientAd", {"max_epochs": 9}, "9 epochs"),
        ("ZooEfficientAd", {}, "-"),
    ],
)
def test_the_length_of_training(tmp_path, class_path, trainer, training):
    assert facts(tmp_path, class_path=class_path, config={"trainer": trainer}).training == training


def test_members_and_rules_are_listed_once(tmp_path):
    members = [{"backbone": "a"}, {"backbone": "b"}, {"backbone": "a"}]
    rule = {"rule": {"class_path": "zoo.postprocess.Midway"}}
    found = facts(tmp_path, members=members, post_processor={"init_args": rule})
    assert found.backbone == "a, b"
    assert found.rule == "Midway"


@pytest.mark.parametrize(
    ("comment", "needs"),
    [
        ("# One line.\n", "CPU, offline"),
        ("# One.\n# Needs the hub. More.\n", "the hub"),
        ("# One. Needs $A/net_1.0.pth and\n# patience: hours.\n", "$A/net_1.0.pth and patience"),
        ("# One.\n# Needs a card\n", "CPU, offline"),  # no sentence
    ],
)
def test_needs_are_a_sentence_of_the_comment(tmp_path, comment, needs):
    assert facts(tmp_path, comment).needs == needs


def test_a_model_may_be_a_bare_name(tmp_path):
    (tmp_path / "bare.yaml").write_text("model: ZooPatchcore\n")
    assert facts_of(Recipe("bare", tmp_path / "bare.yaml"), METHODS).method == "patchcore"


def test_a_recipe_without_a_model_is_an_error(tmp_path):
    (tmp_path / "none.yaml").write_text("data: 1\n")
    with pytest.raises(ZooError, match="names no model"):
        facts_of(Recipe("none", tmp_path / "none.yaml"), METHODS)


def test_a_file_of_weights_is_taken_for_the_card_s_by_its_name(tmp_path):
    [superad] = [each for each in METHODS if each.name == "superad"]
    [weights] = [each for each in superad.card.weights if each.name == "vits14_imgfocus"]
    assert weights.sha256
    right = facts(tmp_path, class_path="ZooSuperAD", weights="/a/vits14_imgfocus_fp16.safetensors")
    assert right.vand4 == "yes"
    wrong = facts(tmp_path, class_path="ZooSuperAD", weights="/a/other.pth")
    assert wrong.vand4.startswith("no: weights other.pth")
    assert recipe_row(wrong)[-1] == "no"
    assert recipe_row(replace(wrong, vand4="yes"))[-1] == "yes"


@pytest.mark.parametrize("fact", PACKAGED, ids=lambda fact: fact.recipe)
def test_a_packaged_recipe_says_in_words_what_it_fetches_or_reads(fact):
    values = list(_texts(read_yaml(find_recipe(fact.recipe).path)))
    assert ("hub" in values) == ("model hub once" in fact.needs)
    reads = any(value.endswith((".pth", ".safetensors")) for value in values)
    assert reads == any(word in fact.needs for word in ("the file", "fetched by hand"))


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def test_the_verdict_is_that_of_measured_runs():
    measured = pd.read_csv(ROOT / "results" / "real_photographs.csv")
    printed = measured.groupby("recipe")["vand4_admissible"].first()
    known = {fact.recipe: fact.vand4 for fact in PACKAGED}
    assert {name: known[name] for name in printed.index} == printed.to_dict()
