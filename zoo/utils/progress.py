"""Progress of runs and of long loops: result lines, and what goes on now with the time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

_LIVE_SECONDS = 0.5  # between updates of a terminal
_LOG_SECONDS = 60.0  # between lines of a log file
_MOST_LINES = 7  # of runs that go on
_Item = TypeVar("_Item")


@dataclass
class _Running:
    label: str
    doing: str = "starting"
    begin: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.begin


class GridProgress:
    """Prints `[3/12] label: result, about 5 min left` per run, and what goes on in between.

    A thread shows what runs are doing and for how long, also while a library is busy: in place at
    the end of a terminal, else by lines now and then.

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
        self._durations: list[float] = []
        self._shown: Live | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, index: int, label: str) -> None:
        """Note that a run begins."""
        self._running[index] = _Running(label)
        if self.live and self._shown is None:
            self._shown = Live(
                get_renderable=self._renderable,
                console=self.console,
                refresh_per_second=1 / _LIVE_SECONDS,
                transient=True,
            )
            self._shown.start(refresh=True)
        elif not self.live and self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._log, daemon=True)
            self._thread.start()

    def update(self, doing: str, index: int | None = None) -> None:
        """Note what a run is doing now; without an index the oldest one that goes on."""
        index = next(iter(self._running), -1) if index is None else index
        if run := self._running.get(index):
            run.doing = doing

    def end(self, result: str, counts: bool = True, index: int | None = None) -> None:
        """Print the result of a run.

        Args:
            result: In one line.
            counts: Whether its duration is a measure of others'.
            index: Of the run; the oldest one that goes on by default.
        """
        index = next(iter(self._running)) if index is None else index
        run = self._running.pop(index)
        self._ended.add(index)
        if counts:
            self._durations.append(run.elapsed)
        self._print(f"{self._head(index, run)}: {result}{self._left()}")
        if not self._running:
            self.close()

    def close(self) -> None:
        """Show no longer what goes on; results may still follow."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _print(self, text: str) -> None:
        if self.live:  # above what is drawn again and again
            self.console.print(Text(text))
        else:
            print(text, file=self.stream, flush=True)

    def _log(self) -> None:
        while not self._stop.wait(_LOG_SECONDS):
            self._print("\n".join(self._lines()))

    def _renderable(self) -> Text:
        done = [f"{len(self._ended)} of {self.n_runs} done"] * (self.n_runs > 1)
        return Text("\n".join([*self._lines(), *done]), no_wrap=True, overflow="ellipsis")

    def _lines(self) -> list[str]:
        """Return what goes on now; on a cluster that may be hundreds of runs."""
        running = list(self._running.items())
        lines = [
            f"{self._head(index, run)}: {run.doing}, {duration(run.elapsed)}"
            for index, run in running[:_MOST_LINES]
        ]
        if len(running) > _MOST_LINES:
            lines.append(f"and {len(running) - _MOST_LINES} more")
        if lines:
            lines[-1] += self._left()
        return lines

    def _head(self, index: int, run: _Running) -> str:
        return f"[{index + 1}/{self.n_runs}] {run.label}" if self.n_runs > 1 else run.label

    def _left(self) -> str:
        """Return the time left: by what was expected, or by the mean of what was done."""
        running, durations = dict(self._running), self._durations
        mean = sum(durations) / len(durations) if durations else None
        left = []
        for index in set(range(self.n_runs)) - self._ended:
            seconds = self._expected.get(index) or mean
            if seconds is None:
                return ""
            elapsed = running[index].elapsed if index in running else 0.0
            left.append(max(0.0, seconds - elapsed))
        if not left:
            return ""
        return f", about {duration(max(sum(left) / self.n_jobs, *left))} left"


def duration(seconds: float) -> str:
    """Return seconds in the unit that people would use.

    Example:
        >>> duration(42.4), duration(200), duration(7500)
        ('42 s', '3 min', '2.1 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(items: Iterable[_Item], total: int, doing: str) -> Iterator[_Item]:
    """Yield items, and meanwhile print `doing 12/300, about 2 min left` on standard error."""
    stream = sys.stderr
    live = stream.isatty()
    begin = printed = time.perf_counter()
    try:
        for done, item in enumerate(items, start=1):
            now = time.perf_counter()
            if now - printed > (_LIVE_SECONDS if live else _LOG_SECONDS):
                printed = now
                left = duration((now - begin) / done * (total - done))
                text = f"{doing} {done}/{total}, about {left} left"
                print(f"\r\x1b[2K{text}" if live else text, end="" if live else "\n", file=stream)
                stream.flush()
            yield item
    finally:
        if live:
            print("\r\x1b[2K", end="", file=stream, flush=True)
