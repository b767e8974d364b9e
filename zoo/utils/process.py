"""Settings of the process: threads, memory, warnings and streams, before libraries are imported."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import ctypes
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.utils.errors import ZooWarning
from zoo.utils.paths import CACHE_VARIABLE

_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1  # of glibc's malloc.h
_MMAP_FROM_BYTES, _KEEP_BYTES = 32 << 20, 256 << 20
_LIBRARIES = r"(anomalib|lightning|timm|torch|torchmetrics|kornia|jsonargparse|PIL)"


def share_cores() -> None:
    """Let waiting OpenMP threads sleep instead of spin.

    Two spinning threads on cores that others use too made one forward pass 40 times slower (2.1 s
    instead of 0.05 s); alone on a machine the difference is small. Your own setting is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def return_memory() -> None:
    """Let glibc give the largest blocks back when they are freed, and torch use large pages.

    glibc raises its own limit for that as it goes, and aligned blocks below it leave holes behind:
    anomalib's coreset of 24,000 patches then grew from 1.0 to 4.4 GB. A fixed limit ends that. A
    low one costs time, since fresh pages are zeroed again and again: at 1 MB forward passes and
    training steps of an EfficientNet-Lite0 took 2.3 times the processor time that they take at
    32 MB with large pages. Your own settings are kept; other systems are left alone.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by torch when it is imported
    if sys.platform == "linux" and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
            libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


def give_home() -> None:
    """Make a home folder for libraries, such as OpenVINO, where the user has none.

    There is no image cache then, unless its folder was named: it would fill what is often memory.
    """
    try:
        Path.home()
    except RuntimeError:
        home = tempfile.mkdtemp(prefix="anomalib-zoo-home-")
        atexit.register(_remove, home, os.getpid())
        os.environ["HOME"] = home
        os.environ.setdefault("USER", f"user-{os.getuid()}")
        if not os.environ.get(CACHE_VARIABLE):
            os.environ[CACHE_VARIABLE] = ""


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a process that was forked
        shutil.rmtree(folder, ignore_errors=True)


def quiet() -> None:
    """Silence warnings and notices of the libraries; call it before they are imported."""
    # Not by level: lightning sets those of its own loggers when it is imported.
    logging.disable(logging.WARNING)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=_LIBRARIES)
    warnings.formatwarning = _formatted
    # Bars of libraries would write over our progress line, and flood log files.
    os.environ.setdefault("TQDM_DISABLE", "1")


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence warnings and notices of the libraries for a block, such as a fit from Python."""
    level = logging.root.manager.disable
    with warnings.catch_warnings():
        for category in (FutureWarning, UserWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", category=category, module=_LIBRARIES)
        logging.disable(max(level, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(level)


_pythons_format = warnings.formatwarning


def _formatted(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
    """Return our own warnings as one line, and others as Python has them."""
    if issubclass(category, ZooWarning):
        return f"warning: {message}\n"
    return _pythons_format(message, category, *place, **more)


def print_any_text() -> None:
    """Let every text be printed, whatever encoding the standard streams have.

    Bytes of file names that are no text (Python keeps them as surrogates) go into UTF-8 files and
    pipes as they are, so that other programs find the files; elsewhere there are escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # none without a console
            is_utf8 = codecs.lookup(stream.encoding).name == "utf-8"
            for_people = stream is sys.stderr or stream.isatty() or not is_utf8
            reconfigure(errors="backslashreplace" if for_people else "surrogateescape")
