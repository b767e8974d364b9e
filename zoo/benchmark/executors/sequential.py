"""One run after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from zoo.benchmark.attempt import Outcome, attempt
from zoo.runs.spec import RunSpec
from zoo.utils.progress import GridProgress


class Sequential:
    """The executor that needs nothing, see `zoo.benchmark.executors`."""

    jobs = 1

    def __init__(self) -> None:
        self.threads = torch.get_num_threads()

    def __call__(
        self, runs: Mapping[int, RunSpec], progress: GridProgress
    ) -> Iterator[tuple[int, Outcome]]:
        """Attempt all runs in order."""
        for index, spec in runs.items():
            progress.begin(index, spec.label)
            yield index, attempt(spec, progress.say)
