"""Progress of a grid for people: one line per finished run, and a sign of life in between."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_LIVE_SECONDS = 0.5  # a terminal: lines that are drawn again and again
_LOG_SECONDS = 60.0  # a log file: a line now and then
_Item = TypeVar("_Item")
_MOST_LINES = 8  # of runs that go on; on a cluster there may be hundreds


@dataclass
class _Running:
    """A run that goes on."""

    label: str
    doing: str = "starting"
    begin: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.begin


class GridProgress:
    """Prints `[3/12] label: result`, with an estimate of the time that is left.

    A thread shows what the runs that go on are doing and for how long, also while a library is
    busy: in place at the end of a terminal, else by a line now and then.

    Args:
        n_runs: Number of runs in the grid.
        stream: Where to print; standard output by default.
        debug: Whether tracebacks shall be shown.
        n_jobs: Runs at a time, for the estimate.
        expected: Seconds that each run may take, None where unknown.
    """

    def __init__(
        self,
        n_runs: int,
        stream: TextIO | None = None,
        debug: bool = False,
        n_jobs: int = 1,
        expected: Sequence[float | None] = (),
    ) -> None:
        self.n_runs, self.n_jobs, self.debug = n_runs, n_jobs, debug
        self.stream = stream or sys.stdout
        self.console = Console(file=self.stream, highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._expected = dict(enumerate(expected))
        self._running: dict[int, _Running] = {}
        self._ended: set[int] = set()
        self._n_failed = 0
        self._durations: list[float] = []
        self._shown: Live | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, index: int, label: str) -> None:
        """Note that a run begins."""
        self._running[index] = _Running(label)
        if self.live and self._shown is None:
            self._shown = Live(
                get_renderable=self._drawn,
                console=self.console,
                refresh_per_second=1 / _LIVE_SECONDS,
                transient=True,
            )
            self._shown.start(refresh=True)
        elif not self.live and self._thread is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._log, args=(self._stop,), daemon=True)
            self._thread.start()

    def say(self, doing: str, index: int | None = None) -> None:
        """Note what a run is doing now; without an index the one that goes on."""
        if running := self._running.get(self._only(index)):
            running.doing = doing

    def end(
        self, result: str, counts: bool = True, index: int | None = None, failed: bool = False
    ) -> None:
        """Print the result of a run.

        Args:
            result: In one line.
            counts: Whether its duration tells of others'.
            index: Of the run; the one that goes on by default.
            failed: Whether it counts as failed.
        """
        index = self._only(index)
        run = self._running.pop(index)
        self._ended.add(index)
        self._n_failed += failed
        if counts:
            self._durations.append(run.elapsed)
        self._print(f"{self._head(index, run)}: {result}{self._left()}")
        if not self._running:
            self.close()

    def close(self) -> None:
        """Stop the sign of life; results may still follow."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _only(self, index: int | None) -> int | None:
        return next(iter(self._running), None) if index is None else index

    def _print(self, text: str) -> None:
        if self.live:  # above what is drawn again and again
            self.console.print(Text(text))
        else:
            self.stream.write(f"{text}\n")
            self.stream.flush()

    def _log(self, stop: threading.Event) -> None:
        while not stop.wait(_LOG_SECONDS):
            for line in self._lines():
                self._print(line)

    def _lines(self) -> list[str]:
        """Return what goes on now."""
        running = list(self._running.items())
        shown = running if len(running) <= _MOST_LINES else running[: _MOST_LINES - 1]
        left = self._left()
        lines = [
            f"{self._head(index, run)}: {run.doing}, {duration(run.elapsed)}"
            for index, run in shown
        ]
        if more := len(running) - len(shown):
            lines.append(f"and {more} more")
        if lines:
            lines[-1] += left
        return lines

    def _drawn(self) -> Group:
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in self._lines()]
        if self.n_runs == 1:
            return Group(*lines)
        bar = Table.grid(padding=(0, 1))
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        bar.add_row(
            ProgressBar(total=self.n_runs, completed=len(self._ended), width=30),
            Text(f"{len(self._ended)} of {self.n_runs} done{failed}"),
        )
        return Group(*lines, bar)

    def _head(self, index: int, run: _Running) -> str:
        place = f"[{index + 1}/{self.n_runs}] " if self.n_runs > 1 else ""
        return f"{place}{run.label}"

    def _left(self) -> str:
        """Say how long the rest may take: by what was expected, or by the mean of what was done."""
        running = dict(self._running)
        waiting = set(range(self.n_runs)) - self._ended - set(running)
        elapsed = {index: run.elapsed for index, run in running.items()}
        known = self._durations
        # A run that takes longer than the others so far tells of those to come.
        longest = max(elapsed.values(), default=0.0)
        typical = None
        if known:
            typical = max(sum(known) / len(known), (sum(known) + longest) / (len(known) + 1))
        seconds = {i: self._expected.get(i) or typical for i in waiting | set(running)}
        if not seconds or None in seconds.values():
            return ""
        left = {i: max(0.0, each - elapsed.get(i, 0.0)) for i, each in seconds.items()}
        rest = max(sum(left.values()) / self.n_jobs, *left.values(), 0.0)
        return f", about {duration(rest)} left"


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    Example:
        >>> duration(42.4), duration(200), duration(7500)
        ('42 s', '3 min', '2.1 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(items: Iterable[_Item], total: int, doing: str) -> Iterator[_Item]:
    """Yield items, and say `doing 12/300, about 2 min left` on stderr meanwhile.

    Args:
        items: What is worked through.
        total: How many there are.
        doing: What is being done.
    """
    stream = sys.stderr
    live = stream.isatty()
    begin = said = time.perf_counter()
    try:
        for done, item in enumerate(items, start=1):
            now = time.perf_counter()
            if now - said > (_LIVE_SECONDS if live else _LOG_SECONDS):
                said = now
                left = duration((now - begin) / done * (total - done))
                text = f"{doing} {done}/{total}, about {left} left"
                print(f"\r\x1b[2K{text}" if live else text, end="" if live else "\n", file=stream)
                stream.flush()
            yield item
    finally:
        if live:
            print("\r\x1b[2K", end="", file=stream, flush=True)
