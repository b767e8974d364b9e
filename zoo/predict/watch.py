"""Waiting for pictures: a folder is looked at again and again, whatever writes into it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from zoo.predict.sources import Sources

# Size in bytes, times of the last change of content and of anything, in ns, and number of the file:
# who overwrites one may set its first time back, as `cp -p` does, but not the second.
_Look = tuple[int, int, int, int]


def watch_new_images(sources: Sources, interval_s: float) -> Iterator[list[Path]]:
    """Yield the pictures that are new or were overwritten since the last time; never ends.

    A picture counts once it is the same at two looks in a row: before that a camera may still be
    writing it.

    Args:
        sources: Where to look.
        interval_s: Seconds between two looks.
    """
    before: dict[Path, _Look] = {}
    judged: dict[Path, _Look] = {}
    while True:
        now = _looks(sources)
        ready = [path for path, look in now.items() if before.get(path) == look]
        ready = [path for path in ready if judged.get(path) != now[path]]
        yield ready
        # What is gone is forgotten: it may come again under the same name.
        judged = {path: look for path, look in judged.items() if path in now}
        judged |= {path: now[path] for path in ready}
        before = now
        time.sleep(interval_s)


def _looks(sources: Sources) -> dict[Path, _Look]:
    looks = {}
    for path in sources.found(may_be_empty=True):
        with contextlib.suppress(OSError):  # moved on meanwhile
            stat = path.stat()
            if stat.st_size:  # an empty file has only been begun
                looks[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return looks
