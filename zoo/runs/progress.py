"""Progress of a grid for people: one line per finished run, and a sign of life in between."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import TextIO

_LIVE_SECONDS = 0.5  # a terminal: one line, drawn again and again
_LOG_SECONDS = 60.0  # a log file: a line now and then


class GridProgress:
    """Prints `[3/12] label: result`, with an estimate of the time that is left.

    A thread shows what the current run is doing and for how long, also while a library is busy.

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
        self._label, self._index, self._doing = "", 0, ""
        self._durations: list[float] = []
        self._begin = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, index: int, label: str) -> None:
        """Note that a run begins."""
        self.close()
        self._index, self._label, self._doing = index, label, "starting"
        self._begin = time.perf_counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(self._stop,), daemon=True)
        self._thread.start()

    def say(self, doing: str) -> None:
        """Note what the run is doing now."""
        self._doing = doing

    def end(self, result: str, counts: bool = True) -> None:
        """Print the result of the run; `counts` says whether its duration tells of others'."""
        self.close()
        if counts:
            self._durations.append(time.perf_counter() - self._begin)
        self._print(f"{self._head()}: {result}{self._left()}\n")

    def close(self) -> None:
        """Stop the sign of life."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(_LIVE_SECONDS if self.live else _LOG_SECONDS):
            elapsed = time.perf_counter() - self._begin
            text = f"{self._head()}: {self._doing}, {duration(elapsed)}{self._left(elapsed, 1)}"
            if self.live:
                text = text[: shutil.get_terminal_size().columns - 1]
            self._print(text if self.live else f"{text}\n")

    def _print(self, text: str) -> None:
        self.stream.write(f"\r\x1b[2K{text}" if self.live else text)
        self.stream.flush()

    def _head(self) -> str:
        place = f"[{self._index + 1}/{self.n_runs}] " if self.n_runs > 1 else ""
        return f"{place}{self._label}"

    def _left(self, elapsed: float = 0.0, running: int = 0) -> str:
        """Say how long the rest may take, from the mean of what was finished.

        Args:
            elapsed: Seconds since the current run began, if one is running.
            running: 1 if a run is running, else 0.
        """
        waiting = self.n_runs - self._index - 1
        if not self._durations or waiting + running == 0:
            return ""
        # A run that takes longer than the others so far tells of those to come.
        known = [*self._durations, elapsed]
        typical = max(sum(self._durations) / len(self._durations), sum(known) / len(known))
        seconds = waiting * typical + running * max(0.0, typical - elapsed)
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
