"""Progress lines: a sign of life while a run is busy, one result line, nothing left behind."""

from __future__ import annotations

import io
import re
import time

import pytest

from zoo.runs import progress as module
from zoo.runs.progress import GridProgress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(module, "_LIVE_SECONDS", 0.01)
    monkeypatch.setattr(module, "_LOG_SECONDS", 0.01)


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_a_busy_run_shows_what_it_does(stream):
    progress = GridProgress(2, stream)
    progress.begin(0, "first")
    progress.say("fit")
    patience = time.monotonic() + 20  # a busy machine may not run the thread at once
    while "[1/2] first: fit, " not in stream.getvalue() and time.monotonic() < patience:
        time.sleep(0.01)
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


def test_skipped_runs_do_not_count_for_the_estimate():
    stream = io.StringIO()
    progress = GridProgress(3, stream)
    progress.begin(0, "a")
    progress.end("finished before", counts=False)
    assert "left" not in stream.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(5, "5 s"), (200, "3 min"), (7500, "2.1 h")])
def test_durations_as_people_say_them(seconds, said):
    assert duration(seconds) == said
