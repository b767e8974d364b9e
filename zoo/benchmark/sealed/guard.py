"""The audit hook of a sealed process: notes every file that Python opens, refuses what is sealed.

A hook cannot be taken off again. What libraries open in C or Rust raises no event: that is for the
kernel (`zoo.benchmark.sealed.landlock`) to refuse, and nobody notes it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Another process would read unnoticed, and a connection could bring anything.
_REFUSED = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"}
_REFUSED |= {"os.forkpty", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}
_REFUSED |= {"socket.sendto"}
_LISTS = {"os.listdir", "os.scandir"}
# Events whose argument of that index is a file that is read, or that appears under another name.
_READS = {"open": 0, "sqlite3.connect": 0, "ctypes.dlopen": 0, "import": 1}
_READS |= {"os.link": 0, "os.rename": 0}


class Guard:
    """What a sealed process reads.

    Args:
        readable: Real paths that may be read, with all that lies below.
        hidden: Real folders of the data set: also its names may not be listed, and trying to read
            it is told apart.

    Attributes:
        reads: Real paths of all files that were read.
        refused: What was refused, such as `read /data/a.png` or `socket.connect`, in order.
    """

    def __init__(self, readable: Sequence[Path], hidden: Sequence[Path]) -> None:
        self.reads: set[str] = set()
        self.refused: list[str] = []
        self._readable = tuple(_prefix(path) for path in readable)
        self._hidden = tuple(_prefix(path) for path in hidden)
        self._watches = False

    def watch(self) -> None:
        """Begin to note and to refuse; there is no way back but `stop`."""
        self._watches = True
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Look away: the fit is over, and what was read is hashed now."""
        self._watches = False
        # What was imported before the hook stood is part of the code too.
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        self.reads |= {os.path.realpath(path) for path in files if isinstance(path, str)}

    @property
    def touched_hidden(self) -> list[str]:
        """What was refused below the data set itself."""
        return [what for what in self.refused if _below(what.partition(" ")[2], self._hidden)]

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watches:
            return
        if event in _READS:
            self._open(event, arguments)
        elif event in _LISTS:
            self._list(arguments[0])
        elif event in _REFUSED:
            self._refuse(event)

    def _open(self, event: str, arguments: tuple[Any, ...]) -> None:
        path = arguments[_READS[event]]
        if not isinstance(path, str | bytes | os.PathLike) or _only_writes(event, arguments):
            return
        text = os.fsdecode(path)
        if event == "ctypes.dlopen" and os.sep not in text:
            return  # a name that the loader looks up among the system's libraries
        real = os.path.realpath(text)  # every time: a link may lead elsewhere by now
        if not _below(real, self._readable):
            self._refuse(f"read {real}")
        self.reads.add(real)

    def _list(self, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            real = os.path.realpath(os.fsdecode(path))
            # The view may lie within the data set's own folder.
            if _below(real, self._hidden) and not _below(real, self._readable):
                self._refuse(f"list {real}")

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise PermissionError(errno.EACCES, f"sealed run: {what} is refused")


def _only_writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open" or not isinstance(arguments[2], int):
        return False
    return arguments[2] & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY


def _prefix(path: Path) -> str:
    return os.path.realpath(path).rstrip(os.sep) + os.sep


def _below(path: str, prefixes: tuple[str, ...]) -> bool:
    return (path + os.sep).startswith(prefixes)
