"""Linux's Landlock: this process and its children may read nothing but what is allowed, for good.

No root is needed. Contents of files are guarded (READ_FILE), names are not, and from ABI 4 on no
TCP connection can be made. Kernels before 5.13 and other systems have nothing of the kind.
Source: linux/landlock.h and Documentation/userspace-api/landlock.rst of the kernel.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # alike on every architecture
_ASK_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _CONNECT_TCP = 1 << 2, 1 << 1
_NETWORK_SINCE = 4
_SET_NO_NEW_PRIVS = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the kernel's Landlock ABI, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def restrict(readable: Iterable[Path]) -> int:
    """Let this process read only files below these paths from now on; it cannot be undone.

    Must run before a second thread starts. Paths that do not exist are left out.

    Returns:
        The ABI in force, 0 where the kernel has no Landlock and nothing was restricted.
    """
    abi = version()
    if not abi:
        return 0
    libc = _libc()
    network = _CONNECT_TCP if abi >= _NETWORK_SINCE else 0
    attributes = _Ruleset(_READ_FILE, network)
    size = ctypes.sizeof(attributes) if network else ctypes.sizeof(ctypes.c_uint64)
    ruleset = _checked(
        libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    )
    try:
        for path in readable:
            _allow(libc, ruleset, path)
        _checked(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return abi


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathBeneath(_READ_FILE, place)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
