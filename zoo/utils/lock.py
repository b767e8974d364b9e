"""A lock beside a run's folder: its holder computes the run, on this machine or another.

The lock is the operating system's and ends with its process: what a dead one left behind blocks
nobody. It holds across machines where the shared file system passes locks on (NFS 4, CephFS, GPFS,
Lustre mounted with `flock`). A file beside it names the holder.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.utils.errors import ZooError


class RunIsBusy(ZooError):
    """Another process computes this run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, which need not exist, until the block ends.

    Raises:
        RunIsBusy: Another process holds it; the text names the process.
    """
    folder = Path(folder).resolve()
    path = folder.with_name(f"{folder.name}.lock")
    note = folder.with_name(f"{folder.name}.lock-holder")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        holder = ""
        with contextlib.suppress(OSError):
            holder = note.read_text(encoding="utf-8", errors="replace")[:300].strip()
        raise RunIsBusy(f"{folder} is being computed by {holder or 'another process'}") from None
    try:
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        text = f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
        note.write_text(text, encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.unlink()  # before it is released: the next holder makes a file of its own
        lock.release()
