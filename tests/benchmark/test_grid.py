"""A grid among others, on bad disks and over damaged runs: it goes on, or ends with one line."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile

import pytest

from zoo.benchmark import attempt, outlook
from zoo.cli import main
from zoo.utils.lock import locked


def bench(recipe, root, out, *more: str) -> int:
    return main(["bench", str(recipe), "--data.root", str(root), "--out", str(out), *more])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def calls(cheap_runs):
    """Let runs write results without computing; return what was run."""
    return cheap_runs.done


@pytest.mark.slow
def test_the_plan_comes_first_and_may_be_all(recipe, mini, out, calls, capsys):
    shutil.copytree(mini / "part", mini / "second")
    words = ("--seeds", "0", "1")
    assert bench(recipe, mini, out, *words, "--dry-run") == 0
    assert not out.exists()
    printed = capsys.readouterr().out
    assert f"4 runs into {out}, 4 to do" in printed
    assert "quick · part, second · seeds 0 1 · 4 to do" in printed
    assert "time unknown: no run of these recipes" in printed
    assert printed.endswith("nothing was run\n")
    assert bench(recipe, mini, out, "--objects", "part", *words) == 0
    capsys.readouterr()
    assert bench(recipe, mini, out, *words, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "seeds 0 1 · 2 finished before, 2 to do, about 40 s each" in printed
    assert "about 80 s by what past runs took" in printed
    assert len(calls) == 2
    assert bench(recipe, mini, out, *words, "--dry-run", "--threads", "7") == 0
    assert "2 to do again, other settings, 2 to do, about 40 s each" in capsys.readouterr().out


@pytest.mark.slow
def test_runs_of_one_recipe_share_the_hash_of_their_settings(recipe, mini, out, calls):
    shutil.copytree(mini / "part", mini / "second")
    assert bench(recipe, mini, out, "--seeds", "0", "1") == 0
    found = [json.loads(path.read_text()) for path in out.rglob("metrics.json")]
    assert len({each["config_hash"] for each in found}) == 4
    assert len({each["settings_hash"] for each in found}) == 1
    recipe.write_text(recipe.read_text().replace("ratio: 0.1", "ratio: 0.2"))
    assert bench(recipe, mini, out, "--objects", "part") == 0
    other = json.loads((out / "quick/part/seed0/metrics.json").read_text())
    assert other["settings_hash"] != found[0]["settings_hash"]


@pytest.mark.slow
def test_other_splits_are_no_other_run(recipe, mini, out, calls, capsys):
    path = out / "quick/part/seed0/metrics.json"
    assert bench(recipe, mini, out, "--splits", "test_public", "test_private") == 0
    for splits in (["test_private"], ["test_public"]):
        assert bench(recipe, mini, out, "--splits", *splits) == 0
    assert len(calls) == 1
    assert bench(recipe, mini, out, "--splits", "test_private_mixed") == 0
    assert len(calls) == 2
    known = ["test_public", "test_private", "test_private_mixed"]
    assert list(json.loads(path.read_text())["splits"]) == known  # none is lost
    shutil.copy(mini / "part/train/good/000_regular.png", mini / "part/stray.png")
    recipe.write_text(recipe.read_text() + "trainer:\n  enable_model_summary: false\n")
    assert bench(recipe, mini, out) == 0
    assert len(calls) == 2


@pytest.mark.slow
def test_a_run_of_another_grid_is_left_to_it_and_told(recipe, mini, out, calls, capsys):
    with locked(out / "quick" / "part" / "seed0"):
        assert bench(recipe, mini, out, "--seeds", "0", "1") == 1  # not all of the plan is there
    assert calls == [("part", 1)]
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("left out: ")]
    assert line.startswith("left out: quick · part · seed 0: ")
    assert f"part/seed0 is being computed by process {os.getpid()} on " in line
    assert bench(recipe, mini, out, "--seeds", "0", "1") == 0
    assert calls == [("part", 1), ("part", 0)]


def test_two_trainings_into_one_folder_are_one_line(recipe, mini, out, calls, capsys):
    words = ["train", "--config", str(recipe), "--data.root", str(mini)]
    words += ["--data.category", "part", "--default_root_dir", str(out)]
    with locked(out / "quick" / "part" / "seed0"):
        assert main(words) == 1
    error = capsys.readouterr().err
    assert f"part/seed0 is being computed by process {os.getpid()} on " in error
    assert error.count("\n") == 1
    assert not calls


@pytest.mark.slow
def test_what_another_grid_finishes_meanwhile_is_not_repeated(
    recipe, mini, out, calls, monkeypatch, capsys
):
    assert bench(recipe, mini, out) == 0
    real, unseen = attempt.finished, [1]  # by the attempt, before the lock is its own
    monkeypatch.setattr(
        attempt, "finished", lambda *args: None if unseen and unseen.pop() else real(*args)
    )
    # The plan did not see it either.
    monkeypatch.setattr(outlook, "finished", lambda *args: None)
    assert bench(recipe, mini, out) == 0
    assert len(calls) == 1
    assert "part · seed 0: finished before, " in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_one_line_before_anything(
    recipe, mini, tmp_path, calls, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    assert bench(recipe, mini, tmp_path / "file" / "runs") == 1
    assert "(not a directory): give another one with --out" in capsys.readouterr().err

    def read_only(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    assert bench(recipe, mini, tmp_path / "runs") == 1
    error = capsys.readouterr().err
    assert error == (
        f"zoo: cannot write to {tmp_path / 'runs'} (read-only file system): give another one "
        "with --out\n"
    )
    assert not calls


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_of_somebody_else_is_one_line(recipe, mini, tmp_path, capsys):
    (tmp_path / "runs").mkdir(mode=0o500)
    assert bench(recipe, mini, tmp_path / "runs") == 1
    assert "(permission denied): give another one with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "place", "message"),
    [
        (errno.ENOSPC, "metrics.json", "zoo: no space left for "),
        (errno.EDQUOT, "model.ckpt", "zoo: no space left for "),
        (errno.EROFS, "cost.json", "is read-only: mount it anew"),
    ],
)
def test_a_disk_that_takes_no_more_ends_the_grid(
    recipe, mini, out, code, place, message, calls, cheap_runs, capsys
):
    def stop(experiment, folder):
        if experiment.seed == 1:
            (folder / place).write_bytes(b'{"half')
            raise OSError(code, os.strerror(code))

    cheap_runs.before = stop
    assert bench(recipe, mini, out, "--seeds", "0", "1", "2") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert calls == [("part", 0)]  # the third was not tried
    cheap_runs.before = lambda experiment, folder: None
    assert bench(recipe, mini, out, "--seeds", "0", "1", "2") == 0
    assert sorted(calls) == [("part", 0), ("part", 1), ("part", 2)]


@pytest.mark.parametrize("name", ["metrics.json", "cost.json", "model.ckpt"])
@pytest.mark.slow
def test_a_damaged_run_is_named_and_made_again(recipe, mini, out, name, calls, capsys):
    assert bench(recipe, mini, out) == 0
    path = out / "quick" / "part" / "seed0" / name
    (path.parent / "notes.txt").write_text("mine")
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2])
    capsys.readouterr()
    if name != "model.ckpt":  # tables do without
        assert main(["table", str(out)]) == 1
        error = capsys.readouterr().err
        assert f"zoo: left out: {path} is no valid JSON" in error
        assert "copy the run again, or repeat the command" in error
        assert error.count("\n") == 2  # and there is no other run
    assert main(["export", str(path.parent)]) == 1
    assert f"zoo: {path} is " in capsys.readouterr().err
    assert bench(recipe, mini, out) == 0
    assert "quick · part · seed 0 · to do again, damaged" in capsys.readouterr().out
    assert len(calls) == 2
    assert path.read_bytes() == sound
    assert (path.parent / "notes.txt").read_text() == "mine"
