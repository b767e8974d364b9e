"""The one OpenVINO core of a process.

OpenVINO's CPU plugin gives the process a stack for signals when it begins and takes it away when
it ends (2026.4). Where several end in another order than they began, the process is left with a
stack that is gone, and the next signal with a handler of Python's kills it: SIGCHLD, say, after a
data loader has had workers. One core that lives as long as the process avoids that.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np

from zoo.utils.errors import ZooError

# Graphics cards and newer CPUs would compute in half precision: a mask must not depend on it.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


def openvino_core() -> Any:
    """Return the `openvino.Core`; the package must be installed.

    Raises:
        ZooError: The process was forked from one that had it: its threads stayed behind.
    """
    core, process = _core()
    if process != os.getpid():
        raise ZooError(
            "this process was forked after OpenVINO had begun, and would wait for threads that it "
            "does not have: start processes with multiprocessing.get_context('spawn')"
        )
    return core


@cache
def _core() -> tuple[Any, int]:
    """Return the core and the process that it belongs to."""
    import openvino

    return openvino.Core(), os.getpid()


class Requests:
    """A compiled graph that threads may share: each call has an infer request of its own.

    A compiled graph that is called has one request only: it reports that it is busy, or gives one
    thread the outputs of another. There are never more requests than calls at one time.

    Args:
        compiled: An `openvino.CompiledModel` with one input.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    def __call__(self, array: np.ndarray) -> list[np.ndarray]:
        """Return the outputs in their order, as copies that belong to the caller."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        # Copied before the next call can have the request, which writes to the same memory.
        outputs = request.infer([array], share_inputs=True, share_outputs=False)
        self._idle.append(request)
        return [outputs[output] for output in self._compiled.outputs]
