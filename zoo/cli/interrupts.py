"""Ctrl-C and SIGTERM end a command within ten seconds: tidily where it listens, else at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended
MESSAGE = "\nzoo: interrupted; what was finished is kept"
GRACE_SECONDS = 8.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_armed: list[int] = []  # what the kernel writes signals to, while blocks go on


@contextmanager
def interruptible(is_whole_process: bool) -> Iterator[Callable[[], bool]]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt in the block, and give whether one came.

    Python hears signals between two of its own instructions only, and libraries may swallow the
    exception or tidy up for long. So a thread hears them too, and ends the process with all that
    it started once the time for leaving is over. What is being written then stays aside.

    Args:
        is_whole_process: The process ends with the block, and its last steps count as well.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heard, over = threading.Event(), threading.Event()
    pipe, kernels_end = os.pipe()
    os.set_blocking(kernels_end, False)
    # A job that a shell runs behind ignores Ctrl-C, and shall go on to do so.
    wanted = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.set()
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in wanted}
    before_fd = signal.set_wakeup_fd(kernels_end, warn_on_full_buffer=False)
    threading.Thread(target=_end_late, args=(pipe, heard, over), daemon=True).start()
    _armed.append(kernels_end)
    try:
        yield heard.is_set
    finally:
        if not (is_whole_process and heard.is_set()):
            over.set()
            _armed.remove(kernels_end)
            signal.set_wakeup_fd(before_fd)
            os.close(kernels_end)
            for each, handler in before.items():
                signal.signal(each, handler or signal.SIG_DFL)  # None: not Python's


def _end_late(pipe: int, heard: threading.Event, over: threading.Event) -> None:
    """End the process some seconds after the first signal, unless the block ends before."""
    while numbers := os.read(pipe, 64):  # none once the block has ended
        if set(numbers) & set(_SIGNALS):
            heard.set()
            if not over.wait(GRACE_SECONDS):
                _end_now()
            break
    os.close(pipe)


def _hear_nothing() -> None:
    """Keep what a process that is being forked hears from its parent's thread."""
    if _armed:
        with contextlib.suppress(ValueError):  # of another thread than the main one
            signal.set_wakeup_fd(-1)


def _hear_again() -> None:
    if _armed:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(_armed[-1], warn_on_full_buffer=False)


def _end_as_usual() -> None:
    """Let SIGTERM end a forked process, such as one that reads images."""
    if _armed:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_hear_nothing, after_in_parent=_hear_again, after_in_child=_end_as_usual
    )


def _end_now() -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    with contextlib.suppress(OSError):
        os.write(2, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)
