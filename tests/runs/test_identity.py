"""A run's hashes see what decides its numbers, and nothing else."""

from __future__ import annotations

import pytest

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


def with_setting(name: str, value: object) -> dict:
    return changed(model={"class_path": "A", "init_args": {"k": 1, name: value}})


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("trainer", "enable_model_summary", False),
        ("trainer", "enable_progress_bar", False),
        ("trainer", "log_every_n_steps", 1),
        ("trainer", "logger", {"class_path": "C"}),
        ("trainer", "limit_test_batches", 3),
    ],
)
def test_what_is_shown_or_logged_does_not_count(section, key, value):
    assert config_hash(changed(**{section: {key: value}})) == config_hash(changed(**{section: {}}))


def test_what_a_trainer_computes_counts():
    one, other = (changed(trainer={"max_steps": steps}) for steps in (5, 6))
    assert config_hash(one) != config_hash(other)


def test_a_file_of_weights_counts_by_its_content(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(b"first")
    (tmp_path / "b.pth").write_bytes(b"first")
    monkeypatch.setenv("WEIGHTS", str(tmp_path))
    before = config_hash(with_setting("weights", "$WEIGHTS/a.pth"))
    assert config_hash(with_setting("weights", str(tmp_path / "b.pth"))) == before
    (tmp_path / "a.pth").write_bytes(b"other")
    assert config_hash(with_setting("weights", "$WEIGHTS/a.pth")) != before
    assert settings_hash(with_setting("weights", "$WEIGHTS/a.pth")) != settings_hash(
        with_setting("weights", str(tmp_path / "b.pth"))
    )


def test_the_variable_alone_may_lead_to_other_weights(tmp_path, monkeypatch):
    hashes = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.pth").write_text(name)
        monkeypatch.setenv("WEIGHTS", str(tmp_path / name))
        hashes.add(config_hash(with_setting("members", [{"weights": "$WEIGHTS/w.pth"}])))
    assert len(hashes) == 2


def test_a_folder_of_images_counts_by_its_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "1.png").write_text("a")
    named = [with_setting("penalty_images", "textures"), with_setting("penalty", "./x/../textures")]
    before = [config_hash(each) for each in named]
    (tmp_path / "textures" / "1.png").write_text("b")
    (tmp_path / "x").mkdir()
    assert not {config_hash(each) for each in named} & set(before)


def test_a_word_that_is_also_somebodys_folder_stays_a_word(tmp_path, monkeypatch):
    words = with_setting("fusion", "normal")
    before = config_hash(words)
    (tmp_path / "normal").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config_hash(words) == before
    assert config_hash(with_setting("prompt", "a" * 5000))  # no name that a disk could hold
    assert config_hash(with_setting("prompt", "a\0b"))
