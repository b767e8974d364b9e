"""Run folders appear whole or not at all, and their hash knows what counts."""

from __future__ import annotations

import pytest

from zoo.runs.folder import appearing, config_hash, is_finished, note_failure, write_json

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


def test_a_folder_appears_when_its_block_ends_well(tmp_path):
    folder = tmp_path / "a" / "seed0"
    with appearing(folder) as aside:
        write_json(aside / "metrics.json", {"config_hash": "h"})
        assert not folder.exists()
    assert is_finished(folder, "h")
    assert not is_finished(folder, "other")
    assert [path.name for path in folder.parent.iterdir()] == ["seed0"]


def test_an_error_leaves_the_older_run_alone(tmp_path):
    folder = tmp_path / "seed0"
    with appearing(folder) as aside:
        write_json(aside / "metrics.json", {"config_hash": "old"})

    def interrupted() -> None:
        with appearing(folder) as aside:
            write_json(aside / "metrics.json", {"config_hash": "new"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert is_finished(folder, "old")
    note_failure(folder, {"reason": "x"})
    assert not (folder / "failed.json").exists()


def test_a_killed_run_is_neither_finished_nor_in_the_way(tmp_path):
    folder = tmp_path / "seed0"
    leftover = tmp_path / "seed0.unfinished"
    leftover.mkdir()
    write_json(leftover / "metrics.json", {"config_hash": "h"})
    assert not is_finished(folder, "h")
    with appearing(folder) as aside:
        assert not list(aside.iterdir())


def test_nan_never_reaches_a_file(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
