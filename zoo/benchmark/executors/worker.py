"""What a process that carries out runs for another one sets up first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.utils.process import quiet, return_memory, share_cores
from zoo.utils.streams import print_any_text


@dataclass(frozen=True)
class Setup:
    """How the process shall behave.

    Attributes:
        trust: Whether recipes and checkpoints are used unchecked.
        debug: Whether libraries may say what they like.
    """

    trust: bool = False
    debug: bool = False

    def apply(self) -> None:
        """Do what the command line does before it runs a verb; before torch is imported."""
        print_any_text()
        share_cores()
        return_memory()
        if not self.debug:
            quiet()


def environment(threads: int) -> Mapping[str, str]:
    """Return the variables that let every library of a new process compute with so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: str(threads) for name in names}
