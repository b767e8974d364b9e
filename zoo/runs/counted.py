"""How far a long loop is, for people: one line on stderr, drawn again and again on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from zoo.runs.progress import duration

_Item = TypeVar("_Item")
_LIVE_SECONDS, _LOG_SECONDS = 0.5, 60.0


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
