"""Processes take runs one by one; one that is killed costs its run a second attempt, no more."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from zoo.benchmark.executors.choose import choose, visible_devices
from zoo.benchmark.executors.sequential import Sequential
from zoo.benchmark.executors.worker import Setup
from zoo.benchmark.grid import run_grid

from zoo.benchmark.executors import choose as module
from zoo.benchmark.executors.processes import Processes
from zoo.utils.errors import ZooError
from zoo.utils.progress import GridProgress

# What stands for a run: importable by the processes, and light.
FAKE = """
import os, signal, time
from pathlib import Path
from types import SimpleNamespace


def attempt(spec, say):
    here, kind = Path(spec.folder), spec.kind
    tried = here / f"{spec.label}.{len(list(here.glob(spec.label + '.*')))}"
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    tried.write_text(" ".join(os.environ.get(name, "-") for name in names) + f" {os.getpid()}")
    if kind == "killed" or (kind == "killed once" and tried.suffix == ".0"):
        os.kill(os.getpid(), signal.SIGKILL)
    say(f"doing {spec.label}")
    try:
        time.sleep(600 if kind == "long" else spec.seconds)
    except KeyboardInterrupt:
        tried.with_suffix(".tidied").touch()
        raise
    return SimpleNamespace(state="finished", text=f"did {spec.label}", trace="")
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    (tmp_path / "fake_attempt.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    import fake_attempt

    yield fake_attempt.attempt
    monkeypatch.undo()


def run(fake, folder, kinds, jobs=2, devices=(), seconds=0.2):
    """Return the grid's result and what it printed."""
    folder.mkdir(exist_ok=True)
    facts = {"folder": folder, "recipe": "r", "object_name": "o", "seed": 0}
    specs = [
        SimpleNamespace(label=f"run{index}", kind=kind, seconds=seconds, **facts)
        for index, kind in enumerate(kinds)
    ]
    stream = io.StringIO()
    executor = Processes(jobs, 1, Setup(), devices, fake)
    result = run_grid(specs, GridProgress(len(specs), stream, n_jobs=jobs), executor)
    return result, stream.getvalue()


def told(folder) -> list[list[str]]:
    return [path.read_text().split() for path in sorted(folder.glob("run*.0"))]


def test_all_runs_are_carried_out_by_so_many_processes(fake, tmp_path):
    result, printed = run(fake, tmp_path / "out", ["short"] * 5)
    assert sorted(result.finished) == [f"run{index}" for index in range(5)]
    pids = {words[2] for words in told(tmp_path / "out")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    assert {words[1] for words in told(tmp_path / "out")} == {"1"}  # threads of each
    assert sorted(printed.count(f"run{index}: did run{index}") for index in range(5)) == [1] * 5


def test_a_killed_process_costs_a_second_attempt_and_the_others_go_on(fake, tmp_path):
    result, printed = run(fake, tmp_path / "out", ["killed", "killed once", "short", "short"])
    assert sorted(result.finished) == ["run1", "run2", "run3"]
    [(label, reason)] = result.failed
    assert label == "run0"
    assert reason == "its process was ended by SIGKILL, often for want of memory, 2 times"
    assert "run0: FAILED: its process was ended by SIGKILL" in printed


def test_each_process_sees_one_device(fake, tmp_path):
    result, _ = run(fake, tmp_path / "out", ["short"] * 6, jobs=3, devices=["0", "GPU-5eb", "2"])
    assert len(result.finished) == 6
    of_process = {words[2]: words[0] for words in told(tmp_path / "out")}
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
        run(fake, out, ["short", "long", "long", "short"])
    assert {path.name for path in out.glob("*.tidied")} == {"run1.tidied", "run2.tidied"}
    for words in told(out):
        with pytest.raises(ProcessLookupError):
            os.kill(int(words[2]), 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"executor": "ray", "devices": ["0"]}, "--devices is for this machine"),
        ({"address": "auto"}, "add --executor ray"),
        ({"jobs": 3, "devices": ["0", "1"]}, "one run per device"),
        ({"devices": ["0", "0"]}, "names a device twice"),
        ({"devices": ["0"]}, "there is no device 0: torch sees 0 CUDA devices here"),
    ],
)
def test_words_that_do_not_fit_are_one_line(words, says, monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ZooError, match=says):
        choose(**words)


def test_threads_are_divided(monkeypatch):
    monkeypatch.setattr(module.torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert isinstance(choose(), Sequential)
    assert (choose(jobs=2).jobs, choose(jobs=2).threads) == (2, 4)
    assert choose(jobs=20).threads == 1
    assert choose(threads=3).threads == choose(jobs=4, threads=3).threads == 3
    on_gpus = choose(devices=["0", "1", "3"])
    assert (on_gpus.jobs, on_gpus.threads, on_gpus.devices) == (3, 2, ["0", "1", "3"])


def test_devices_count_among_the_visible_ones(monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-9f")
    assert visible_devices(["1", "0", "GPU-5e"]) == ["GPU-9f", "5", "GPU-5e"]
