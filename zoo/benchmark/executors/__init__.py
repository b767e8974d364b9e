"""Where the runs of a grid are carried out: here, in processes of this machine, or on a cluster.

Numbers do not depend on it: a run computes with the threads that its hash names, wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zoo.benchmark.attempt import Outcome
    from zoo.runs.spec import RunSpec
    from zoo.utils.progress import GridProgress


class Executor(Protocol):
    """Carries out runs.

    Attributes:
        jobs: Runs at a time; None where a cluster decides.
        threads: Torch threads of each run.
    """

    jobs: int | None
    threads: int

    def __call__(
        self, runs: Mapping[int, RunSpec], progress: GridProgress
    ) -> Iterator[tuple[int, Outcome]]:
        """Attempt all runs and yield the number of each with its outcome, in any order.

        Whoever closes the iterator, or interrupts it, ends the runs that go on; they leave behind
        what lets the same command go on, and nothing else.

        Args:
            runs: By their number in the grid.
            progress: Is told when a run begins and what it is doing.
        """
        ...
