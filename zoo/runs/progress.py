"""Progress of a grid for people: one line per finished run, and a live line on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_REDRAW_SECONDS = 0.2


class GridProgress:
    """Prints `[3/12] label: result`, with an estimate of the time that is left.

    Args:
        n_runs: Number of runs in the grid.
        stream: Where to print; standard output by default.
        debug: Whether errors shall be raised instead of noted.
    """

    def __init__(self, n_runs: int, stream: TextIO | None = None, debug: bool = False) -> None:
        self.n_runs = n_runs
        self.stream = stream or sys.stdout
        self.debug = debug
        self.live = self.stream.isatty()
        self._label, self._index = "", 0
        self._durations: list[float] = []
        self._begin = self._drawn = 0.0

    def begin(self, index: int, label: str) -> None:
        """Note that a run begins."""
        self._index, self._label = index, label
        self._begin, self._drawn = time.perf_counter(), 0.0
        self.say("parse")

    def say(self, doing: str) -> None:
        """Show what the run is doing, if somebody is watching."""
        now = time.perf_counter()
        if self.live and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            text = f"{self._head()}: {doing}, {now - self._begin:.0f} s{self._left()}"
            width = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r\x1b[2K{text[:width]}")
            self.stream.flush()

    def end(self, result: str, counts: bool = True) -> None:
        """Print the result of the run; `counts` says whether its duration tells of others'."""
        if counts:
            self._durations.append(time.perf_counter() - self._begin)
        clear = "\r\x1b[2K" if self.live else ""
        self.stream.write(f"{clear}{self._head()}: {result}{self._left(self._index + 1)}\n")
        self.stream.flush()

    def _head(self) -> str:
        return f"[{self._index + 1}/{self.n_runs}] {self._label}"

    def _left(self, done: int | None = None) -> str:
        remaining = self.n_runs - (self._index if done is None else done)
        if not self._durations or remaining <= 0:
            return ""
        seconds = remaining * sum(self._durations) / len(self._durations)
        return f", about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    Example:
        >>> duration(42.4), duration(200), duration(7500)
        ('42 s', '3 min', '2.1 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
