"""A run is locked while it is computed: by one process at a time, and never by a dead one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from zoo.utils.lock import RunIsBusy, locked

HOLD = (
    "import sys, time; from pathlib import Path; from zoo.utils.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "seed0")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_run_that_somebody_computes_is_refused_with_his_name(tmp_path, holder):
    with pytest.raises(RunIsBusy) as error, locked(tmp_path / "seed0"):
        pass
    assert f"is being computed by process {holder.pid} on {os.uname().nodename} since" in str(
        error.value
    )
    assert "\n" not in str(error.value)
    with locked(tmp_path / "seed1"):  # another run is free
        pass


def test_a_killed_process_holds_nothing(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "seed0.lock").exists()
    with locked(tmp_path / "seed0"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_goes_with_the_block_however_that_ends(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "deep" / "seed0"):
        raise KeyboardInterrupt
    assert not list((tmp_path / "deep").iterdir())


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_a_file_system_without_locks_computes_without(tmp_path, monkeypatch):
    def unknown(*args):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unknown)
    monkeypatch.setattr("fcntl.lockf", unknown)
    with locked(tmp_path / "seed0"):
        assert (tmp_path / "seed0.lock").exists()
