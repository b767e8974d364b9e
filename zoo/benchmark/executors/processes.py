"""Several runs at a time in processes of this machine, with its threads or devices divided."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from zoo.benchmark.executors import Setup, environment
from zoo.recipes.trust import trusting

if TYPE_CHECKING:
    from zoo.benchmark.attempt import Outcome
    from zoo.benchmark.executors import Work
    from zoo.recipes.experiment import Experiment
    from zoo.utils.progress import GridProgress

_ATTEMPTS = 2  # of a run whose process was killed
_CLEAN_UP_SECONDS = 5.0  # to leave a run tidily: an interrupted command ends within ten
# A new interpreter each: forked threads and accelerators do not survive.
_SPAWN = multiprocessing.get_context("spawn")


class Processes:
    """The executor that keeps processes, each of which takes one run after the other.

    A process that is killed, often by the system for want of memory, costs its run a second
    attempt.

    Args:
        work: What a process does with a run; it is sent there.
        jobs: Processes.
        threads: Of each.
        setup: How each behaves.
        devices: Values of CUDA_VISIBLE_DEVICES, one for each process: it sees that device alone,
            so that the configuration, and with it the hash, is that of a machine with one.
    """

    def __init__(
        self,
        work: Work,
        jobs: int,
        threads: int,
        setup: Setup,
        devices: Sequence[str] = (),
    ) -> None:
        self.work, self.threads = work, threads
        self.jobs: int | None = jobs
        self._n_processes = jobs
        self.setup, self.devices = setup, devices

    def __call__(
        self, runs: Mapping[int, Experiment], progress: GridProgress
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Attempt all runs; the first process that is free takes the next one."""
        waiting = deque((index, experiment, 1) for index, experiment in runs.items())
        slots = range(min(self._n_processes, len(runs)))
        workers: list[_Worker] = []
        try:
            workers += [self._start(slot) for slot in slots]
            for worker in workers:
                worker.take(waiting, progress)
            while busy := [worker for worker in workers if worker.run]:
                ready = wait([worker.pipe for worker in busy])
                for worker in [worker for worker in busy if worker.pipe in ready]:
                    assert worker.run is not None
                    index, experiment, attempts = worker.run
                    try:
                        kind, message = worker.pipe.recv()
                    except (EOFError, OSError):
                        reason = worker.wait_for_exit()
                        workers[worker.slot] = worker = self._start(worker.slot)
                        if attempts < _ATTEMPTS:
                            worker.give((index, experiment, attempts + 1), progress)
                            progress.update(f"{reason}; tried again", index)
                            continue
                        kind, message = "end", _failed(experiment, f"{reason}, {attempts} times")
                    if kind == "message":
                        progress.update(message, index)
                        continue
                    worker.run = None
                    yield index, message
                    worker.take(waiting, progress)
        finally:
            _end(workers)

    def _start(self, slot: int) -> _Worker:
        variables = dict(environment(self.threads))
        if self.devices:
            variables["CUDA_VISIBLE_DEVICES"] = self.devices[slot]
        return _Worker(slot, self.setup, self.work, variables)


class _Worker:
    """A process, and the run that it is at."""

    def __init__(self, slot: int, setup: Setup, work: Work, variables: Mapping[str, str]) -> None:
        self.slot = slot
        self.run: tuple[int, Experiment, int] | None = None
        self.pipe, theirs = _SPAWN.Pipe()
        # Not a daemon: those may have no processes that read images.
        self.process = _SPAWN.Process(target=_work, args=(theirs, setup))
        with _variables(variables):  # libraries read them when they are imported
            self.process.start()
        theirs.close()
        self._send(work)

    def take(self, waiting: deque[tuple[int, Experiment, int]], progress: GridProgress) -> None:
        """Go on with the next run that waits, if any."""
        if waiting:
            self.give(waiting.popleft(), progress)

    def give(self, run: tuple[int, Experiment, int], progress: GridProgress) -> None:
        """Go on with a run: its number, itself, and how often it was attempted with this time."""
        self.run = run
        progress.begin(run[0], run[1].label)
        self._send(run[1])

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # killed before it began: its end is heard of soon
            self.pipe.send(message)

    def wait_for_exit(self) -> str:
        """Wait for the end of a process that was killed, and return how it ended."""
        self.process.join()
        code = self.process.exitcode
        self.pipe.close()
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = ", often for want of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with code {code}"


def _failed(experiment: Experiment, reason: str) -> Outcome:
    from zoo.benchmark.attempt import failed

    return failed(experiment, reason)


def _end(workers: Sequence[_Worker]) -> None:
    """Let idle processes go, interrupt the others, and wait until they have tidied up."""
    for worker in workers:
        with contextlib.suppress(OSError):
            if worker.run is None:
                worker.pipe.send(None)
            elif worker.process.is_alive() and worker.process.pid:
                os.kill(worker.process.pid, signal.SIGINT)
    deadline = time.monotonic() + _CLEAN_UP_SECONDS
    try:
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
    finally:  # also after a second Ctrl-C
        for worker in workers:
            worker.process.kill()
            worker.process.join()


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _work(pipe: Connection, setup: Setup) -> None:
    """Run what comes through the pipe; the process itself."""
    with contextlib.suppress(KeyboardInterrupt, EOFError, OSError):
        # Ctrl-C reaches all processes of a terminal's group: only the parent shall hear it.
        if hasattr(os, "setpgrp"):
            os.setpgrp()
        # The parent interrupts with it, also where a shell has ignored it for a job behind; whoever
        # ends a whole group of processes sends the other.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        setup.apply()

        attempt = pipe.recv()  # brings torch, into a process that is set up by now
        with trusting(setup.trust):
            while (experiment := pipe.recv()) is not None:
                pipe.send(("end", attempt(experiment, lambda text: pipe.send(("message", text)))))


def _end_with_parent() -> None:
    """End at once when the parent is gone: kill -9 of a grid leaves nothing that computes on."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
