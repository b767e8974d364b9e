"""Whether VAND 4.0 admits a run: the card's word, and what a recipe can do to it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.methods.admissibility import YES, admissible, weight_files
from zoo.methods.card import read_card

CARD = read_card(Path(__file__).parents[2] / "plugins" / "zoo_plugins" / "patchcore" / "card.yaml")
MODEL = {"class_path": "a.B", "init_args": {"weights": "embedded", "layers": ["x"]}}


def test_a_method_whose_card_admits_it_is_admitted():
    assert admissible(CARD, MODEL) == YES


def test_a_stock_model_is_not_since_nobody_vouches_for_it():
    said = admissible(None, {"class_path": "anomalib.models.Padim"})
    assert said == "no: no card says what Padim reads and how it was pretrained"


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"threshold_source": "test_public"}, "threshold from test_public"),
        (
            {"setting": "zero_shot", "reads_splits": (), "threshold_source": "fixed"},
            "a zero-shot method, but runs set its threshold on validation images",
        ),
    ],
)
def test_what_the_card_admits_to_is_told(facts, word):
    said = admissible(replace(CARD, vand4=replace(CARD.vand4, **facts)), MODEL)
    assert said.startswith("no: ")
    assert word in said


def test_a_transductive_model_is_not_admitted_and_may_say_why():
    assert "transductive" in admissible(CARD, MODEL, transductive=True)
    said = admissible(CARD, MODEL, transductive="per-split min-max of the members")
    assert said.endswith("others: per-split min-max of the members")


def test_a_checkpoint_of_unknown_origin_is_named():
    assert "goes on from last.ckpt" in admissible(CARD, MODEL, goes_on_from="/a/last.ckpt")


def test_a_file_of_weights_must_be_one_of_the_card(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"numbers")
    model = {"class_path": "a.B", "init_args": {"members": [{"weights": str(path)}]}}
    assert "weights net.pth have the SHA-256 of none" in admissible(CARD, model)
    digest = hashlib.sha256(b"numbers").hexdigest()
    known = (replace(CARD.weights[0], sha256=digest), *CARD.weights[1:])
    assert admissible(replace(CARD, weights=known), model) == YES
    path.unlink()
    assert admissible(replace(CARD, weights=known), model) != YES


def test_weights_that_a_method_makes_itself_are_named_by_its_card():
    model = {"class_path": "a.B", "init_args": {"weights": "home_made"}}
    assert "weights home_made have the SHA-256 of none" in admissible(CARD, model)
    named = (replace(CARD.weights[0], name="home_made"), *CARD.weights[1:])
    assert admissible(replace(CARD, weights=named), model) == YES


def test_images_from_outside_are_vouched_for_by_nobody():
    said = admissible(CARD, MODEL, outside_images="imagenette")
    assert said == "no: reads imagenette, and nobody knows what these images show"


def test_only_files_are_taken_for_files():
    names = {"weights": ["embedded", "/w/a.pth"], "backbone": "/not/weights"}
    assert list(weight_files(names)) == [Path("/w/a.pth")]


@pytest.mark.parametrize(
    ("post_processor", "is_admitted"),
    [
        ("zoo.postprocess.rules.Adaptive", True),
        ("anomalib.post_processing.PostProcessor", True),
        ("my_rules.PerObject", False),
    ],
)
def test_a_rule_of_somebodys_own_is_vouched_for_by_nobody(post_processor, is_admitted):
    rule = {"class_path": post_processor, "init_args": {}}
    blobs = {"class_path": "zoo.methods.BlobPostProcessor", "init_args": {"rule": rule}}
    model = {"class_path": "a.B", "init_args": {"post_processor": blobs}}
    said = admissible(CARD, model)
    assert said == (YES if is_admitted else said)
    assert ("PerObject of the post-processor is no part of zoo" in said) is not is_admitted


def test_every_objection_is_told():
    said = admissible(None, MODEL, transductive=True, goes_on_from="x.ckpt")
    assert said.count(";") == 2


def test_a_variable_in_the_name_of_a_file_is_filled_in(monkeypatch):
    monkeypatch.setenv("ZOO_WEIGHTS", "/w")
    assert list(weight_files({"weights": "$ZOO_WEIGHTS/a.pth"})) == [Path("/w/a.pth")]
    assert list(weight_files({"weights": "~/a.pth"})) == [Path.home() / "a.pth"]


def parts(**arguments: object) -> dict:
    return {"class_path": "a.B", "init_args": arguments}


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (parts(pre_processor={"class_path": "other.Peek"}), "Peek of the pre-processor"),
        (
            parts(
                pre_processor={
                    "class_path": "anomalib.pre_processing.PreProcessor",
                    "init_args": {"transform": {"class_path": "other.Peek"}},
                }
            ),
            "Peek of the pre-processor",
        ),
        (
            parts(pre_processor={"class_path": "torchvision.transforms.v2.Lambda"}),
            "Lambda of the pre-processor",
        ),
        (parts(reference="data/can/test_public/good"), "reads data/can/test_public/good"),
        (parts(parts=[{"class_path": "other.Net"}]), "Net of the model"),
    ],
)
def test_foreign_parts_of_a_model_are_vouched_for_by_nobody(model, says):
    said = admissible(CARD, model)
    assert said.startswith("no: ")
    assert says in said


def test_parts_of_the_method_itself_and_of_known_packages_are():
    transform = {"class_path": "torchvision.transforms.v2.Resize", "init_args": {"size": 9}}
    inner = {"class_path": "anomalib.pre_processing.PreProcessor"}
    assert admissible(CARD, parts(pre_processor=inner | {"init_args": transform})) == YES
    assert admissible(CARD, parts(pre_processor={"class_path": "a.Own"})) == YES


@pytest.mark.parametrize(
    ("section", "value", "says"),
    [
        ("data", {"class_path": "other.Data"}, "Data of the data is no part of zoo"),
        (
            "data",
            {
                "class_path": "zoo.data.MVTecAD2Layout",
                "init_args": {"train_augmentations": {"class_path": "other.Paste"}},
            },
            "Paste of the train-augmentations",
        ),
        (
            "data",
            {"class_path": "anomalib.data.Folder", "init_args": {"normal_dir": "x/good"}},
            "normal_dir of Folder is a place of its own",
        ),
        (
            "data",
            {"class_path": "anomalib.data.MVTecAD", "init_args": {"root": "d/test_private"}},
            "reads d/test_private, a place of test images",
        ),
        ("trainer", {"callbacks": [{"class_path": "other.Peek"}]}, "Peek of the trainer"),
        ("trainer", {"strategy": {"class_path": "other.Plan"}}, "Plan of the trainer"),
    ],
)
def test_odd_data_and_trainers_are_looked_at(section, value, says):
    said = admissible(CARD, MODEL, **{section: value})
    assert said.startswith("no: ")
    assert says in said


def test_data_in_the_layout_and_plain_trainers_are_admitted():
    data = {"class_path": "zoo.data.MVTecAD2Layout", "init_args": {"test_split": "test_private"}}
    trainer = {"max_epochs": 3, "callbacks": [{"class_path": "lightning.pytorch.callbacks.Timer"}]}
    assert admissible(CARD, MODEL, data=data, trainer=trainer) == YES
