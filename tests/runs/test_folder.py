"""Run folders appear whole or not at all."""

from __future__ import annotations

import shutil

import pytest
from fake_experiments import fake_experiment

from zoo.runs.check import damage
from zoo.runs.documents import read_metrics
from zoo.runs.folder import (
    atomic_folder,
    check_free,
    note_failure,
    own_folder,
    write_json,
)
from zoo.utils.errors import ZooError


def write_metrics(folder, run_hash: str) -> None:
    facts = {"recipe": "quick", "method": "m", "object": "part", "seed": 0, "splits": {}}
    write_json(folder / "metrics.json", facts | {"config_hash": run_hash})


def is_finished(folder, run_hash: str) -> bool:
    return (read_metrics(folder) or {}).get("config_hash") == run_hash


def test_a_folder_appears_when_its_block_ends_well(tmp_path):
    folder = tmp_path / "a" / "seed0"
    with atomic_folder(folder) as aside:
        write_metrics(aside, "h")
        assert not folder.exists()
    assert is_finished(folder, "h")
    assert not is_finished(folder, "other")
    assert [path.name for path in folder.parent.iterdir()] == ["seed0"]


def test_an_error_leaves_the_older_run_alone(tmp_path):
    folder = tmp_path / "seed0"
    with atomic_folder(folder) as aside:
        write_metrics(aside, "old")

    def interrupted() -> None:
        with atomic_folder(folder) as aside:
            write_metrics(aside, "new")
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
    write_metrics(leftover, "h")
    assert not is_finished(folder, "h")
    with atomic_folder(folder) as aside:
        assert not list(aside.iterdir())  # of what was begun before


def write_run(folder, **files) -> None:
    with atomic_folder(folder) as aside:
        (aside / "model.ckpt").write_text("new")
        write_metrics(aside, "new")
        for name, text in files.items():
            (aside / name).mkdir()
            (aside / name / "file").write_text(text)


def test_somebodys_own_folder_is_left_alone(tmp_path):
    folder = tmp_path / "holidays"
    folder.mkdir()
    (folder / "beach.jpg").write_text("sun")
    for taken in (folder, folder / "beach.jpg"):
        with pytest.raises(ZooError, match=r"is not empty and holds no run|is a file"):
            write_run(taken)
    write_json(folder / "metrics.json", {"accuracy": 1})  # of another program
    with pytest.raises(ZooError, match="holds no run"):
        write_run(folder)
    note_failure(folder, {"reason": "x"})
    assert sorted(path.name for path in folder.iterdir()) == ["beach.jpg", "metrics.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["holidays"]


def test_what_lies_beside_an_older_run_stays(tmp_path):
    folder = tmp_path / "run"
    write_run(folder, cases="old", maps="old", calibrations="old")
    (folder / "notes.txt").write_text("mine")
    write_run(folder, cases="new")
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "cases" / "file").read_text() == "new"
    for name in ("maps", "calibrations"):  # they belong to the model that is gone
        assert not (folder / name).exists()
    assert is_finished(folder, "new")
    assert not (tmp_path / "run.unfinished").exists()


@pytest.mark.parametrize("n_moved", range(2))
def test_a_kill_while_an_older_run_gives_way_is_not_in_the_way(tmp_path, monkeypatch, n_moved):
    folder = tmp_path / "run"
    write_run(folder)
    (folder / "notes.txt").write_text("mine")
    real, moved = shutil.move, []

    def killed(source, place):
        if len(moved) == n_moved:
            raise KeyboardInterrupt
        moved.append(real(source, place))

    with monkeypatch.context() as patch:
        patch.setattr("zoo.runs.folder.shutil.move", killed)
        with pytest.raises(KeyboardInterrupt):
            write_run(folder)
    assert not is_finished(folder, "new")
    write_run(folder)
    assert is_finished(folder, "new")
    names = {path.name for path in folder.iterdir()}
    assert names == {"metrics.json", "model.ckpt", "checksums.json", "notes.txt"}


def test_damage_is_told_of_our_runs_only(tmp_path):
    folder = tmp_path / "run"
    write_run(folder)
    (folder / "config.yaml").write_text("# anomalib-zoo==0.1.0\n")
    assert damage(folder) is None
    (folder / "model.ckpt").write_text("old")
    assert damage(folder).startswith(f"{folder / 'model.ckpt'} is not the file that the run wrote")
    for text, says in (
        ('{"config_ha', "is no valid JSON"),
        ('["no", "run"]', "the whole should be fields with values, not list"),
        ('{"recipe": "../../x"}', "recipe is '../../x', a name that stands for a folder is none"),
    ):
        (folder / "metrics.json").write_text(text)
        assert damage(folder).startswith(str(folder / "metrics.json"))
        assert says in damage(folder)
    check_free(folder)  # a new run may take its place
    (folder / "config.yaml").write_text("model: of another program\n")
    assert damage(folder) is None
    with pytest.raises(ZooError, match="holds no run"):
        check_free(folder)
    assert damage(tmp_path / "nothing") is None


def test_a_failed_run_gives_way(tmp_path):
    note_failure(tmp_path / "run", {"reason": "x"})
    write_run(tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"metrics.json", "model.ckpt", "checksums.json"}


def test_an_empty_folder_or_the_current_one_may_be_filled(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").touch()
    monkeypatch.chdir(tmp_path / "empty")
    check_free(".")
    write_run(".")
    assert is_finished(tmp_path / "empty", "new")


def test_nan_never_reaches_a_file(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": float("nan")})


@pytest.mark.parametrize("name", ["../x", "a/b", "a\x1b[2J", "", "a\nb"])
def test_a_run_of_what_is_no_name_is_not_begun(name):
    with pytest.raises(ZooError, match="give it a plain name"):
        fake_experiment("quick", name)
    with pytest.raises(ZooError, match="name"):
        fake_experiment(name.replace("a/b", "../b"), "part")


@pytest.mark.parametrize("name", ["calibrations", "exported"])
def test_a_folder_of_a_run_lies_in_the_run(name, tmp_path):
    for each in ("run", "elsewhere"):
        (tmp_path / each).mkdir()
    assert own_folder(tmp_path / "run", "other").is_dir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ZooError, match=rf"{name} is a link to .*elsewhere.*: remove the link"):
        own_folder(tmp_path / "run", name)
    (tmp_path / "run" / name).unlink()
    (tmp_path / "run" / name).write_text("mine")
    with pytest.raises(ZooError, match=r"is a file where a folder belongs"):
        own_folder(tmp_path / "run", name)
