"""The line that says how far a long loop is: seldom in logs, again and again on a terminal."""

from __future__ import annotations

import io

import pytest

from zoo.utils import progress as module
from zoo.utils.progress import counted


class Stream(io.StringIO):
    def __init__(self, live: bool) -> None:
        super().__init__()
        self.live = live

    def isatty(self) -> bool:
        return self.live


@pytest.fixture
def clock(monkeypatch):
    """Let a second pass at every look at the clock."""
    seconds = iter(range(10_000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(seconds)))


def test_a_log_gets_a_line_a_minute(clock, monkeypatch):
    stream = Stream(live=False)
    monkeypatch.setattr(module.sys, "stderr", stream)
    assert list(counted(range(130), 130, "scored")) == list(range(130))
    assert stream.getvalue() == ("scored 61/130, about 69 s left\nscored 122/130, about 8 s left\n")


def test_a_terminal_gets_one_line_that_goes_away(clock, monkeypatch):
    stream = Stream(live=True)
    monkeypatch.setattr(module.sys, "stderr", stream)
    for item in counted(range(10), 10, "scored"):
        if item == 4:
            break
    assert "scored 3/10, about 7 s left" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\n" not in stream.getvalue()
