"""Progress lines: a sign of life while a run is busy, one result line, nothing left behind."""

from __future__ import annotations

import io
import re
import time

import pytest

from zoo.utils import progress as module
from zoo.utils.progress import GridProgress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wait_for(text: str, stream: io.StringIO) -> None:
    patience = time.monotonic() + 20  # a busy machine may not run the thread at once
    while text not in stream.getvalue() and time.monotonic() < patience:
        time.sleep(0.01)
    assert text in stream.getvalue()


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(module, "_LIVE_SECONDS", 0.01)
    monkeypatch.setattr(module, "_LOG_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_a_busy_run_shows_what_it_does(stream):
    progress = GridProgress(2, stream)
    progress.begin(0, "first")
    progress.update("fit")
    wait_for("[1/2] first: fit, ", stream)
    progress.end("done")
    text = stream.getvalue()
    assert "[1/2] first: fit, " in text
    assert re.search(r"\[1/2\] first: done, about \d+ s left\n", text)
    assert ("\x1b[2K" in text) == stream.isatty()


def test_nothing_is_printed_after_the_end():
    stream = io.StringIO()
    progress = GridProgress(1, stream)
    progress.begin(0, "only")
    progress.close()
    before = stream.getvalue()
    time.sleep(0.05)
    assert stream.getvalue() == before
    progress.end("done")
    assert stream.getvalue() == f"{before}only: done\n"


def test_skipped_runs_do_not_count_for_the_estimate():
    stream = io.StringIO()
    progress = GridProgress(3, stream)
    progress.begin(0, "a")
    progress.end("finished before", counts=False)
    assert "left" not in stream.getvalue()


def test_runs_that_go_on_together_have_a_line_each_and_share_the_rest():
    stream = io.StringIO()
    progress = GridProgress(4, stream, n_jobs=2, expected=[80.0, 80.0, 80.0, None])
    progress.begin(0, "a")
    progress.begin(1, "b")
    progress.update("fit", 1)
    progress.update("score", 0)
    wait_for("[2/4] b: fit, ", stream)
    assert "[1/4] a: score, " in stream.getvalue()
    assert "left" not in stream.getvalue()  # the fourth may take any time
    progress.end("done", index=1)
    assert re.search(r"\[2/4\] b: done, about 80 s left\n", stream.getvalue())
    progress.end("no", index=0)
    assert "[1/4] a: no, about 80 s left" in stream.getvalue()


def test_hundreds_of_runs_are_a_few_lines():
    stream = io.StringIO()
    progress = GridProgress(300, stream)
    for index in range(200):
        progress.begin(index, f"run{index}")
    wait_for("and 193 more\n", stream)
    progress.close()
    block = stream.getvalue().rpartition("and 193 more\n")[0].rpartition("and ")[2]
    assert block.splitlines()[-1].startswith("[7/300] run6: starting")


def test_a_terminal_shows_how_many_are_done():
    stream = Terminal()
    progress = GridProgress(2, stream)
    progress.begin(0, "first")
    progress.begin(1, "second")
    progress.end("no", index=0)
    wait_for("1 of 2 done", stream)
    progress.close()
    assert "[1/2] first: no" in stream.getvalue()


@pytest.mark.parametrize(("seconds", "message"), [(5, "5 s"), (200, "3 min"), (7500, "2.1 h")])
def test_durations_as_people_say_them(seconds, message):
    assert duration(seconds) == message
