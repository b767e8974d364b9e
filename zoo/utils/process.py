"""Settings of the process that must stand before the libraries are imported: quiet, and polite."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import sys
import warnings
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
    anomalib's coreset of 24,000 patches then grew from 1.0 to 4.4 GB. A limit that stays where it
    is ends that. A low one costs dearly, since fresh pages are zeroed again and again: at 1 MB
    forward passes and training steps of an EfficientNet-Lite0 took 2.3 times the processor time
    that they take at 32 MB with large pages, steps of EfficientAD 1.2 times. Your own settings are
    kept; other systems and libraries are left alone.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by torch when it is imported
    if sys.platform == "linux" and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
            libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


def give_home() -> None:
    """Let libraries that ask for a home folder find one, where the user has none.

    OpenVINO cannot be imported without. An image cache would fill what is often memory: there is
    none then, unless its folder was named.
    """
    try:
        Path.home()
    except RuntimeError:
        import tempfile

        home = tempfile.mkdtemp(prefix="anomalib-zoo-home-")
        atexit.register(_remove, home, os.getpid())
        os.environ["HOME"] = home
        os.environ.setdefault("USER", f"user-{os.getuid()}")
        if not os.environ.get(CACHE_VARIABLE):
            os.environ[CACHE_VARIABLE] = ""


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a process that was forked
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def quiet() -> None:
    """Silence warnings and notices; call it before the libraries are imported.

    Loggers are filtered at the root of what they print, since lightning sets the levels of its own
    loggers anew when it is imported.
    """
    logging.disable(logging.WARNING)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=_LIBRARIES)
    warnings.formatwarning = _formatted
    # One progress line is ours; bars of libraries would write over it, and flood log files.
    os.environ.setdefault("TQDM_DISABLE", "1")


_pythons_format = warnings.formatwarning


def _formatted(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
    """Return our own warnings as one line, and others as Python has them."""
    if issubclass(category, ZooWarning):
        return f"warning: {message}\n"
    return _pythons_format(message, category, *place, **more)
