"""A lock beside a run's folder: whoever holds it computes the run, on this machine or another.

The lock is the operating system's (`flock`), so that it ends with its process, also after kill -9
or a crash: no lock is ever stale, whatever file is left behind. It holds across machines where the
shared file system passes locks on (NFS 4, CephFS, GPFS, Lustre mounted with `flock`). Where there
are no such locks (Windows, some network drives) runs are not locked.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from zoo.utils.errors import ZooError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SUFFIX = ".lock"


class RunIsBusy(ZooError):
    """Another process computes this run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder until the block ends.

    Args:
        folder: Of the run; it need not exist.

    Raises:
        RunIsBusy: Another process holds it; the text names the process.
    """
    folder = Path(folder).resolve()
    path = folder.with_name(folder.name + SUFFIX)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _acquire(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is let go: the next one makes a file of its own
        os.close(handle)


def _acquire(path: Path) -> int:
    """Return the open file that is the lock."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = os.read(handle, 300).decode(errors="replace").strip()
            os.close(handle)
            raise RunIsBusy(
                f"{path.with_suffix('')} is being computed by {holder or 'another process'}"
            ) from None
        except OSError:
            pass  # a file system without locks
        if _is_still(path, handle):
            os.ftruncate(handle, 0)
            os.pwrite(handle, _holder().encode(), 0)
            return handle
        os.close(handle)  # removed by its holder between our opening and locking it


def _is_still(path: Path, handle: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False


def _holder() -> str:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
