"""A run's hashes see what decides its numbers, and nothing else."""

from __future__ import annotations

from zoo.runs.identity import config_hash, settings_hash

CONFIG = {
    "model": {"class_path": "A", "init_args": {"k": 1}},
    "data": {"class_path": "B", "init_args": {"root": "/here", "category": "x"}},
    "default_root_dir": "runs",
}


def changed(**values) -> dict:
    return {**CONFIG, **values}


def test_places_do_not_count_and_settings_do():
    moved = changed(
        data={"class_path": "B", "init_args": {"root": "/there", "category": "x"}},
        default_root_dir="elsewhere",
    )
    assert config_hash(CONFIG, seed=0) == config_hash(moved, seed=0)
    assert config_hash(CONFIG, seed=0) != config_hash(CONFIG, seed=1)
    other = changed(model={"class_path": "A", "init_args": {"k": 2}})
    assert config_hash(CONFIG, seed=0) != config_hash(other, seed=0)


def test_objects_and_seeds_share_their_settings():
    data = {"class_path": "B", "init_args": {"root": "/here", "category": "y", "seed": 3}}
    assert settings_hash(changed(data=data, seed_everything=3)) == settings_hash(CONFIG)
    other = changed(model={"class_path": "A", "init_args": {"k": 2}})
    assert settings_hash(other) != settings_hash(CONFIG)
    batches = {"class_path": "B", "init_args": {"root": "/here", "train_batch_size": 3}}
    assert settings_hash(changed(data=batches)) != settings_hash(CONFIG)
