"""Processes take runs one by one; one that is killed costs its run a second attempt, no more."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from zoo.benchmark.attempt import Attempt
from zoo.benchmark.bench import Runs, run_all
from zoo.benchmark.executors import Sequential, Setup, choose, visible_devices
from zoo.benchmark.executors.processes import Processes
from zoo.utils.errors import ZooError
from zoo.utils.progress import GridProgress

# What stands for a run: importable by the processes, and light.
FAKE = """
import os, signal, time
from pathlib import Path
from types import SimpleNamespace


def attempt(experiment, say):
    here, kind, name = Path(experiment.folder), experiment.recipe, experiment.object_name
    tried = here / f"{name}.{len(list(here.glob(name + '.*')))}"
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    tried.write_text(" ".join(os.environ.get(key, "-") for key in names) + f" {os.getpid()}")
    if kind == "killed" or (kind == "killed-once" and tried.suffix == ".0"):
        os.kill(os.getpid(), signal.SIGKILL)
    say(f"doing {name}")
    try:
        time.sleep(600 if kind == "long" else 0.2)
    except KeyboardInterrupt:
        tried.with_suffix(".tidied").touch()
        raise
    return SimpleNamespace(state="finished", text=f"did {name}", trace="")
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    (tmp_path / "fake_attempt.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    import fake_attempt

    yield fake_attempt.attempt
    monkeypatch.undo()


def carried_out(fake, folder, kinds, jobs=2, devices=()):
    """Return how the grid went and what it printed; runs of some kinds are called run0, run1..."""
    folder.mkdir(exist_ok=True)
    experiments = [  # as experiments are, without what their class imports
        SimpleNamespace(
            label=f"{kind} · run{index}",
            recipe=kind,
            object_name=f"run{index}",
            seed=0,
            folder=folder,
        )
        for index, kind in enumerate(kinds)
    ]
    stream, runs = io.StringIO(), Runs()
    executor = Processes(fake, jobs, 1, Setup(), devices)
    run_all(experiments, GridProgress(len(kinds), stream, n_jobs=jobs), executor, runs)
    return runs, stream.getvalue()


def recorded(folder) -> list[list[str]]:
    return [path.read_text().split() for path in sorted(folder.glob("run*.0"))]


def test_all_runs_are_carried_out_by_so_many_processes(fake, tmp_path):
    runs, printed = carried_out(fake, tmp_path / "out", ["short"] * 5)
    assert (runs.n_finished, runs.failed, runs.busy) == (5, [], [])
    pids = {words[2] for words in recorded(tmp_path / "out")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    assert {words[1] for words in recorded(tmp_path / "out")} == {"1"}  # threads of each
    assert [printed.count(f"did run{index}") for index in range(5)] == [1] * 5


def test_a_killed_process_costs_a_second_attempt_and_the_others_go_on(fake, tmp_path):
    kinds = ["killed", "killed-once", "short", "short"]
    runs, printed = carried_out(fake, tmp_path / "out", kinds)
    assert runs.n_finished == 3
    [(label, reason)] = runs.failed
    assert label == "killed · run0"
    assert reason == "its process was ended by SIGKILL, often for want of memory, 2 times"
    assert f"{label}: FAILED: its process was ended by SIGKILL" in printed


def test_each_process_sees_one_device(fake, tmp_path):
    devices = ["0", "GPU-5eb", "2"]
    runs, _ = carried_out(fake, tmp_path / "out", ["short"] * 6, jobs=3, devices=devices)
    assert runs.n_finished == 6
    of_process = {words[2]: words[0] for words in recorded(tmp_path / "out")}
    assert sorted(of_process.values()) == ["0", "2", "GPU-5eb"]
    assert "GPU-5eb" not in os.environ.get("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_lets_runs_tidy_up(fake, tmp_path):
    out = tmp_path / "out"

    def interrupt():
        patience = time.monotonic() + 60
        while len(list(out.glob("run?.0"))) < 3 and time.monotonic() < patience:
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        carried_out(fake, out, ["short", "long", "long", "short"])
    assert {path.name for path in out.glob("*.tidied")} == {"run1.tidied", "run2.tidied"}
    for words in recorded(out):
        with pytest.raises(ProcessLookupError):
            os.kill(int(words[2]), 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"executor": "ray", "devices": ["0"]}, "--devices is for this machine"),
        ({"address": "auto"}, "add --executor ray"),
        ({"jobs": 3, "devices": ["0", "1"]}, "one run per device"),
        ({"devices": ["0", "0"]}, "names a device twice"),
        ({"devices": ["0"]}, "there is no device 0: torch sees 0 CUDA devices here"),
    ],
)
def test_words_that_do_not_fit_are_one_line(words, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ZooError, match=message):
        choose(Attempt(), **words)


def test_threads_are_divided(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert isinstance(choose(Attempt()), Sequential)
    for words, jobs, threads in (
        ({"jobs": 2}, 2, 4),
        ({"jobs": 20}, 20, 1),
        ({"threads": 3}, 1, 3),
        ({"jobs": 4, "threads": 3}, 4, 3),
        ({"devices": ["0", "1", "3"]}, 3, 2),
    ):
        chosen = choose(Attempt(), **words)
        assert (chosen.jobs, chosen.threads) == (jobs, threads)
    assert chosen.devices == ["0", "1", "3"]


def test_devices_count_among_the_visible_ones(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-9f")
    assert visible_devices(["1", "0", "GPU-5e"], 2) == ["GPU-9f", "5", "GPU-5e"]
