"""A run's hashes see what decides its numbers, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fake_experiments import fake_experiment

from zoo.runs.identity import identity, settings_hash

DATA = {"class_path": "zoo.data.Any", "init_args": {"root": "/here", "category": "x"}}
PLANNED = replace(
    fake_experiment(), data=DATA, model={"class_path": "zoo.A", "init_args": {"k": 1}}
)
CONFIG = PLANNED.config


def config_hash(**fields) -> str:
    """Return the hash of the run that differs from `PLANNED` in some fields."""
    return identity(replace(PLANNED, **fields), "d").config_hash


def with_setting(name: str, value: object) -> dict:
    """Return the section of a model with one more argument."""
    return {"class_path": "zoo.A", "init_args": {"k": 1, name: value}}


def test_places_do_not_count_and_settings_do(tmp_path):
    moved = {"class_path": "zoo.data.Any", "init_args": {"root": "/there", "category": "x"}}
    before = config_hash()
    assert config_hash(data=moved, folder=tmp_path) == before
    for others in (
        {"seed": 1},
        {"object_name": "y"},
        {"model": with_setting("m", 2)},
        {"trainer": {"max_steps": 6}},
        {"tiling": {"window": 256}},
        {"threads": torch.get_num_threads() + 1},
    ):
        assert config_hash(**others) != before
    assert identity(PLANNED, "other images").config_hash != before


def test_what_a_run_is_called_keeps_and_is_evaluated_on_does_not_count():
    others = {"recipe": "b", "keep": "maps", "splits": ("test",), "command": "c"}
    assert config_hash(**others) == config_hash()


def test_threads_of_the_process_are_those_of_a_run_that_names_none():
    assert config_hash(threads=torch.get_num_threads()) == config_hash()


def test_objects_and_seeds_share_their_settings():
    data = {"class_path": "zoo.data.Any", "init_args": {"root": "/", "category": "y", "seed": 3}}
    assert settings_hash({**CONFIG, "data": data, "seed_everything": 3}) == settings_hash(CONFIG)
    assert settings_hash({**CONFIG, "model": with_setting("m", 2)}) != settings_hash(CONFIG)
    batches = {"class_path": "zoo.data.Any", "init_args": {"train_batch_size": 3}}
    assert settings_hash({**CONFIG, "data": batches}) != settings_hash(CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("enable_model_summary", False),
        ("enable_progress_bar", False),
        ("log_every_n_steps", 1),
        ("logger", {"class_path": "lightning.pytorch.loggers.CSVLogger"}),
        ("limit_test_batches", 3),
    ],
)
def test_what_is_shown_or_logged_does_not_count(key, value):
    assert config_hash(trainer={key: value}) == config_hash(trainer={})


def test_a_file_of_weights_counts_by_its_content(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(b"first")
    (tmp_path / "b.pth").write_bytes(b"first")
    monkeypatch.setenv("WEIGHTS", str(tmp_path))
    before = config_hash(model=with_setting("weights", "$WEIGHTS/a.pth"))
    assert config_hash(model=with_setting("weights", str(tmp_path / "b.pth"))) == before
    (tmp_path / "a.pth").write_bytes(b"other")
    assert config_hash(model=with_setting("weights", "$WEIGHTS/a.pth")) != before
    assert settings_hash({"model": with_setting("weights", "$WEIGHTS/a.pth")}) != settings_hash(
        {"model": with_setting("weights", str(tmp_path / "b.pth"))}
    )


def test_the_variable_alone_may_lead_to_other_weights(tmp_path, monkeypatch):
    hashes = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.pth").write_text(name)
        monkeypatch.setenv("WEIGHTS", str(tmp_path / name))
        hashes.add(config_hash(model=with_setting("members", [{"weights": "$WEIGHTS/w.pth"}])))
    assert len(hashes) == 2


def test_a_folder_of_images_counts_by_its_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "1.png").write_text("a")
    named = [with_setting("penalty_images", "textures"), with_setting("penalty", "./x/../textures")]
    before = [config_hash(model=each) for each in named]
    (tmp_path / "textures" / "1.png").write_text("b")
    (tmp_path / "x").mkdir()
    assert not {config_hash(model=each) for each in named} & set(before)


def test_a_word_that_is_also_somebodys_folder_stays_a_word(tmp_path, monkeypatch):
    words = with_setting("fusion", "normal")
    before = config_hash(model=words)
    (tmp_path / "normal").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config_hash(model=words) == before
    assert config_hash(model=with_setting("prompt", "a" * 5000))  # no name that a disk could hold
    assert config_hash(model=with_setting("prompt", "a\0b"))
