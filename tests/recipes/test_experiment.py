"""A recipe becomes an experiment: what may be added to it, and what comes back from its file."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
import yaml

from zoo.data import ImageFolders, MVTecAD2Layout
from zoo.recipes.experiment import Experiment, load
from zoo.recipes.files import recipe_names
from zoo.runs.identity import identity
from zoo.runs.run import config_text
from zoo.utils.errors import ZooError

PART = {"init_args": {"root": "data", "category": "part"}}
ONE_OF_EACH = {name.partition("/")[0]: name for name in recipe_names()}.values()
LOGGER = "lightning.pytorch.loggers.CSVLogger"


@pytest.fixture
def made(recipe):
    """Return a function that makes an experiment of the small recipe."""

    def make(data=PART, **options) -> Experiment:
        return load(recipe, data=data, **options)

    return make


def rule_of(planned: Experiment) -> dict:
    return planned.post_processor["init_args"]["rule"]


def test_a_recipe_and_its_data_make_an_experiment(made, recipe):
    planned = made()
    assert (planned.recipe, planned.object_name, planned.seed) == ("quick", "part", 0)
    assert planned.label == "quick · part · seed 0"
    assert planned.recipe_path == recipe
    assert planned.folder.as_posix() == "runs/quick/part/seed0"
    assert planned.model["class_path"] == "zoo_plugins.patchcore.ZooPatchcore"
    assert planned.data["init_args"]["train_batch_size"] == 4
    assert planned.model["init_args"]["num_neighbors"] == 1  # defaults are written down
    assert rule_of(planned)["init_args"]["q"] == 0.99


def test_a_seed_decides_the_folder_and_every_option_is_a_field(made, tmp_path):
    planned = made(seed=3, out=tmp_path, keep="maps", threads=2, splits=("test_public",))
    assert planned.folder == tmp_path / "quick" / "part" / "seed3"
    assert planned.config["seed_everything"] == planned.seed == 3
    assert (planned.keep, planned.threads, planned.splits) == ("maps", 2, ("test_public",))
    assert made(folder=tmp_path / "detector", seed=3).folder == tmp_path / "detector"
    other = made(name="mine/small", object_name="lid", out=tmp_path)
    assert other.folder == tmp_path / "mine-small" / "lid" / "seed0"


def test_nobody_changes_an_experiment(made):
    planned = made()
    with pytest.raises(FrozenInstanceError):
        planned.seed = 1
    other = replace(planned.with_data(category="lid"), trainer={"max_epochs": 2})
    assert planned.data["init_args"]["category"] == "part"
    assert "max_epochs" not in planned.trainer or planned.trainer["max_epochs"] != 2
    assert other.data["init_args"]["category"] == "lid"
    assert other.data["init_args"]["root"] == "data"
    assert other.trainer["max_epochs"] == 2


def test_what_is_no_name_makes_no_experiment(made):
    sound = made()
    for name in ("../x", "", "a\nb", "a/b"):
        with pytest.raises(ZooError, match="name"):
            replace(sound, object_name=name)
        with pytest.raises(ZooError, match="name"):
            replace(sound, recipe=f"../{name}")
    with pytest.raises(ZooError, match="name"):
        made(object_name="a/b")


def test_it_goes_to_other_processes_as_it_is(made):
    planned = made(overrides={"tiling.window": 32}, typed=[LOGGER])
    assert pickle.loads(pickle.dumps(planned)) == planned


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"tiling": {"window": 32, "overlap": 0.25}},
        {"trainer.max_epochs": 3, "trainer.accelerator": "cpu"},
        {"optimizer": "torch.optim.SGD", "optimizer.lr": 0.1},
        {"model.post_processor.rule": {"class_path": "MeanStd", "init_args": {"k": 2}}},
    ],
)
def test_its_configuration_makes_the_same_experiment(made, tmp_path, overrides):
    planned = made(overrides=overrides, seed=5)
    path = tmp_path / "config.yaml"
    path.write_text(config_text(planned), encoding="utf-8")
    again = load(path)
    same = {"recipe": planned.recipe, "recipe_path": planned.recipe_path, "folder": planned.folder}
    assert replace(again, **same) == planned
    assert config_text(again) == config_text(planned)
    assert identity(again, "d") == identity(planned, "d")


@pytest.mark.parametrize(
    "name",
    # One recipe of each method always: every one takes a second.
    [
        pytest.param(name, marks=() if name in ONE_OF_EACH else pytest.mark.slow)
        for name in recipe_names()
    ],
)
def test_the_configuration_of_every_packaged_recipe_makes_the_same(name, tmp_path):
    planned = load(name, data=PART)
    path = tmp_path / "config.yaml"
    path.write_text(config_text(planned), encoding="utf-8")
    assert load(path).config == planned.config
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["data"]["init_args"]["root"] == "data"


def test_settings_are_overridden_by_dotted_keys(made):
    planned = made(
        overrides={
            "model.image_size": 96,
            "model.init_args.num_neighbors": "3",  # as a command line has it
            "model.post_processor.rule.q": 0.5,
            "data.eval_batch_size": 2,
            "trainer.max_epochs": 7,
            "tiling.window": 32,
        }
    )
    arguments = planned.model["init_args"]
    assert (arguments["image_size"], arguments["num_neighbors"]) == (96, 3)
    assert arguments["coreset_sampling_ratio"] == 0.1  # what is not named stays
    assert rule_of(planned)["init_args"]["q"] == 0.5
    assert rule_of(planned)["init_args"]["min_area_px"] == 4
    assert planned.data["init_args"]["eval_batch_size"] == 2
    assert planned.trainer["max_epochs"] == 7
    assert planned.tiling["window"] == 32


def test_a_class_is_overridden_by_its_name_and_keeps_what_both_know(made):
    planned = made(overrides={"model.post_processor.rule": "Maximum"})
    assert rule_of(planned)["class_path"].endswith("Maximum")
    assert rule_of(planned)["init_args"]["min_area_px"] == 4  # a maximum has no q
    planned = made(overrides={"model": "ZooSuperAD", "model.shorter_side": 64})
    assert planned.model["class_path"].endswith("ZooSuperAD")
    assert planned.model["init_args"]["weights"] == "random"
    assert rule_of(planned)["init_args"]["q"] == 0.99
    short = made({"class_path": "MVTecAD2Layout", **PART})
    assert short.data == made().data


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.image_sizee": 3}, "did you mean 'image_size'"),
        ({"model.init_args.image_sizee": 3}, "did you mean 'image_size'"),
        ({"data.categry": "x"}, "did you mean 'category'"),
        ({"trainer.max_epoch": 1}, "did you mean 'trainer.max_epochs'"),
        ({"modl.image_size": 3}, "did you mean 'model'"),
        ({"model": "ZooPatchcor"}, "did you mean 'ZooPatchcore'"),
        ({"data": "MVTecAD2Layuot"}, "did you mean 'MVTecAD2Layout'"),
        ({"model.post_processor.rule": "Quantil"}, "did you mean 'Quantile'"),
        ({"model.image_size": -64}, "model.init_args.image_size is -64"),
        ({"model.num_neighbors": "ten"}, "num_neighbors: expected int, got 'ten'"),
        ({"trainer.max_steps": 0}, "trainer.max_steps is 0"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_nearest(made, overrides, message):
    with pytest.raises(ZooError) as raised:
        made(overrides=overrides)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_data_of_another_class_keeps_what_both_know(made, tmp_path):
    planned = made({"class_path": "zoo.data.ImageFolders", "init_args": {"good": str(tmp_path)}})
    assert planned.data["class_path"].endswith(ImageFolders.__name__)
    assert planned.data["init_args"]["train_batch_size"] == 4
    assert "category" not in planned.data["init_args"]
    assert planned.object_name == tmp_path.name
    same = made({"class_path": "zoo.data.MVTecAD2Layout", "init_args": {"eval_batch_size": 1}})
    assert same.data["class_path"].endswith(MVTecAD2Layout.__name__)
    assert (same.data["init_args"]["train_batch_size"], same.object_name) == (4, "MVTecAD2Layout")


@pytest.mark.parametrize(
    ("root", "name"), [("01", "no"), ("1e3", "null"), ("~", "a: b"), ("[x]", "#x"), ("é", "&a")]
)
def test_names_are_text_whatever_they_look_like(made, tmp_path, root, name):
    planned = made({"init_args": {"root": root}}, overrides={"data.category": name})
    assert planned.object_name == name
    path = tmp_path / "config.yaml"
    path.write_text(config_text(planned), encoding="utf-8")
    found = load(path).data["init_args"]
    assert (found["root"], found["category"]) == (root, name)


def test_classes_of_others_are_refused_unless_a_person_typed_them(made):
    overrides = {"trainer.logger": LOGGER, "trainer.logger.save_dir": "x"}
    with pytest.raises(ZooError, match=r"names 'lightning\.pytorch\.loggers\."):
        made(overrides=overrides)
    planned = made(overrides=overrides, typed=[LOGGER])
    assert planned.trainer["logger"]["class_path"] == LOGGER
    assert planned.typed == {LOGGER}
    _, trainer = planned.build()
    assert type(trainer["logger"]).__name__ == "CSVLogger"


def test_a_model_is_built_under_the_seed(made):
    weights = []
    for seed in (3, 3, 4):
        model, trainer = made(seed=seed).build()
        weights.append(next(value for value in model.parameters() if value.dim() > 1))
        assert isinstance(trainer, dict)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert model.post_processor.rule.q == 0.99


def test_data_is_built_without_a_fit(made, mini):
    data = made({"init_args": {"root": str(mini), "category": "part"}}).build_data()
    assert isinstance(data, MVTecAD2Layout)
    assert (data.category, data.train_batch_size) == ("part", 4)


def test_the_optimizer_of_a_recipe_takes_the_place_of_the_methods_own(made):
    overrides = {"optimizer": "torch.optim.SGD", "optimizer.lr": 0.25}
    model, _ = made(overrides=overrides).build()
    configured = model.configure_optimizers()
    assert isinstance(configured, torch.optim.SGD)
    assert configured.param_groups[0]["lr"] == 0.25


def test_a_recipe_without_data_says_what_to_add(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("model: ZooPatchcore\n")
    with pytest.raises(ZooError, match=r"no data given: add .*--data\.root"):
        load(path)
    planned = load(path, data={"class_path": "MVTecAD2Layout", **PART})
    assert planned.data["init_args"]["category"] == "part"
