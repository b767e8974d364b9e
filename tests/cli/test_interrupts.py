"""Ctrl-C and SIGTERM end every command, tidily or at once; real processes, no clocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PATIENCE = 120  # seconds; for machines that do other things too

START = """
import os, signal, subprocess, sys, time
import zoo.cli.dispatch as dispatch, zoo.cli.interrupts as interrupts

interrupts.GRACE_SECONDS = 0.3


def ready(*words):
    print(*words, flush=True)


{body}

dispatch.dispatch = verb
sys.argv = ["zoo", "list"]
sys.exit(dispatch.main())
"""

SLEEPS = "def verb(words, debug):\n    ready()\n    time.sleep(600)"
STUBBORN = """
def verb(words, debug):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    while True:
        try:
            ready(child.pid)
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""
RENAMES = """
def verb(words, debug):
    ready()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        raise ImportError("numpy is gone")
"""
LATE = """
import atexit
atexit.register(time.sleep, 600)

def verb(words, debug):
    ready()
    time.sleep(600)
"""
FORKS = """
def verb(words, debug):
    child = os.fork()
    if not child:
        print("up", flush=True)
        time.sleep(600)
    time.sleep(0.5)
    os.kill(child, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    time.sleep(1)
    ready("went on")
    return 0
"""


def start(body: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", START.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("body", [SLEEPS, STUBBORN, RENAMES, LATE])
def test_both_signals_end_a_command_whatever_it_does(number, body):
    command = start(f"signal.signal(signal.SIGINT, signal.default_int_handler)\n{body}")
    child = command.stdout.readline().strip()
    command.send_signal(number)
    _, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130
    assert "zoo: interrupted; what was finished is kept" in said
    assert "Traceback" not in said
    patience = time.monotonic() + PATIENCE
    while child and not has_ended(int(child)) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not child or has_ended(int(child))


def has_ended(pid: int) -> bool:
    """Whether a process has ended, also where nobody asked how."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_signal_to_a_forked_child_is_none_to_the_command():
    command = start(FORKS)
    printed, said = command.communicate(timeout=PATIENCE)
    assert (command.returncode, printed.strip()) == (0, "up\nwent on"), said


def test_a_command_behind_goes_on_where_its_shell_ignores_ctrl_c():
    code = f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{SLEEPS}"
    command = start(code)
    command.stdout.readline()
    command.send_signal(signal.SIGINT)
    time.sleep(1)
    assert command.poll() is None
    command.terminate()
    command.communicate(timeout=PATIENCE)
    assert command.returncode == 130


@pytest.mark.slow
def test_a_data_set_that_was_interrupted_is_not_called_finished(tmp_path: Path):
    code = "import sys; from zoo.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "tiny", str(tmp_path / "tiny")]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    begun = tmp_path / "tiny" / "tiny.started.json"
    patience = time.monotonic() + PATIENCE
    while not begun.exists() and time.monotonic() < patience:
        time.sleep(0.02)
    command.terminate()
    command.communicate(timeout=PATIENCE)
    assert command.returncode == 130
    assert begun.exists()
    assert not (tmp_path / "tiny" / "tiny.json").exists()
