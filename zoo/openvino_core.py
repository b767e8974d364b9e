"""The one OpenVINO core of a process.

OpenVINO's CPU plugin gives the process a stack for signals when it begins and takes it away when
it ends (2026.4). Where several end in another order than they began, the process is left with a
stack that is gone, and the next signal with a handler of Python's kills it: SIGCHLD, say, after a
data loader has had workers. One core that lives as long as the process avoids that.
"""

from __future__ import annotations

from functools import cache
from typing import Any

# Graphics cards and newer CPUs would compute in half precision: a mask must not depend on it.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


@cache
def openvino_core() -> Any:
    """Return the `openvino.Core`; the package must be installed."""
    import openvino

    return openvino.Core()
