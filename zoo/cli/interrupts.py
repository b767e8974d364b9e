"""Ctrl-C and SIGTERM end a command within ten seconds: tidily where it listens, else at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended
MESSAGE = "\nzoo: interrupted; what was finished is kept"
_GRACE_SECONDS = 8.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_armed: list[socket.socket] = []  # what the kernel writes signals to, while blocks go on


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
    ours, kernels = socket.socketpair()
    kernels.setblocking(False)
    heard = threading.Event()
    # A job that a shell runs behind ignores Ctrl-C, and shall go on to do so.
    wanted = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.set()
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in wanted}
    before_fd = signal.set_wakeup_fd(kernels.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_late, args=(ours, heard), daemon=True).start()
    _armed.append(kernels)
    try:
        yield heard.is_set
    finally:
        if not (is_whole_process and heard.is_set()):
            _armed.remove(kernels)
            signal.set_wakeup_fd(before_fd)
            kernels.close()
            for each, handler in before.items():
                signal.signal(each, handler or signal.SIG_DFL)  # None: not Python's


def _end_late(pipe: socket.socket, heard: threading.Event) -> None:
    """End the process some seconds after the first signal, unless the block ends before."""
    deadline = None
    with pipe, contextlib.suppress(OSError):
        while True:
            try:
                numbers = pipe.recv(64)
            except TimeoutError:
                _end_now()
            if not numbers:  # the block has ended
                return
            if deadline is None and set(numbers) & set(_SIGNALS):
                heard.set()
                deadline = time.monotonic() + _GRACE_SECONDS
            if deadline is not None:
                pipe.settimeout(max(0.01, deadline - time.monotonic()))


def _hear_nothing() -> None:
    """Keep what a process that is being forked hears from its parent's thread."""
    if _armed:
        with contextlib.suppress(ValueError):  # of another thread than the main one
            signal.set_wakeup_fd(-1)


def _hear_again() -> None:
    if _armed:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(_armed[-1].fileno(), warn_on_full_buffer=False)


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
