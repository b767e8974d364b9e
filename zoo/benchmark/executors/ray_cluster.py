"""Runs as tasks on a Ray cluster (extra `ray`): the scheduler, the retries and the nodes are Ray's.

Data, recipes and results lie in folders that all nodes share, under one path; the zoo is installed
on every node. A run asks for as many cores as it has threads, and for a GPU where there are any.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from zoo.benchmark.attempt import Outcome, failed
from zoo.benchmark.executors import Setup, environment
from zoo.recipes.experiment import Experiment
from zoo.recipes.trust import trusting
from zoo.utils.errors import ZooError, one_line
from zoo.utils.progress import GridProgress

if TYPE_CHECKING:
    from zoo.benchmark.executors import Work

_RETRIES = 3  # of a run whose process or node is lost
_CLEAN_UP_SECONDS = 5.0  # an interrupted command ends within ten


class Ray:
    """The executor on a cluster.

    Args:
        work: What a node does with a run; it is sent there.
        address: Of the cluster, such as `auto` or `ray://host:10001`; without one Ray begins on
            this machine.
        jobs: Runs that are handed to Ray at a time; as many as the cluster has room for by
            default. Give more where nodes are added on demand.
        threads: Of each run.
        setup: How each process behaves.

    Raises:
        ZooError: Ray is not installed.
    """

    def __init__(
        self, work: Work, address: str | None, jobs: int | None, threads: int, setup: Setup
    ) -> None:
        self.work = work
        self.address, self.jobs, self.threads, self.setup = address, jobs, threads, setup
        self._ray = _import()

    def __call__(
        self, runs: Mapping[int, Experiment], progress: GridProgress
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Attempt all runs; Ray decides where, and repeats one whose process or node is lost.

        Raises:
            ZooError: Nothing answers at the address, or no node has so many cores.
        """
        ray = self._ray
        self._connect()
        try:
            on_gpu = int(ray.cluster_resources().get("GPU", 0) >= 1)
            task = ray.remote(num_cpus=self.threads, num_gpus=on_gpu, max_retries=_RETRIES)(
                _attempt
            )
            waiting = deque(runs.items())
            pending: dict[Any, int] = {}
            try:
                while waiting or pending:
                    progress.n_jobs = self.jobs or self._room(on_gpu)  # nodes may come and go
                    while waiting and len(pending) < progress.n_jobs:
                        index, experiment = waiting.popleft()
                        progress.begin(index, experiment.label)
                        progress.update("on the cluster", index)
                        pending[task.remote(self.work, experiment, self.setup)] = index
                    for reference in ray.wait(list(pending))[0]:
                        index = pending.pop(reference)
                        yield index, self._outcome(reference, runs[index])
            finally:
                self._cancel(list(pending))
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        ray = self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        local = {} if self.address else {"include_dashboard": False}
        try:
            ray.init(
                address=self.address,
                log_to_driver=self.setup.debug,
                logging_level="INFO" if self.setup.debug else "ERROR",
                runtime_env={"env_vars": dict(environment(self.threads))},
                **local,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ZooError(
                f"no Ray cluster at {self.address or 'this machine'} ({one_line(error, 120)}): "
                "`ray status` shows one that runs"
            ) from error
        most = max(int(node.get("CPU", 0)) for node in self._nodes())
        if most < self.threads:
            ray.shutdown()
            raise ZooError(
                f"no node of the cluster has {self.threads} cores: give --threads {most} or fewer"
            )

    def _nodes(self) -> list[dict[str, float]]:
        """Return what each node has."""
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _room(self, on_gpu: int) -> int:
        """Return how many runs the cluster takes at a time."""
        unit, needed = ("GPU", 1) if on_gpu else ("CPU", self.threads)
        return max(1, sum(int(node.get(unit, 0) // needed) for node in self._nodes()))

    def _outcome(self, reference: Any, experiment: Experiment) -> Outcome:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return failed(
                experiment, f"lost {_RETRIES + 1} times on the cluster: {one_line(error, 160)}"
            )

    def _cancel(self, references: list[Any]) -> None:
        """Interrupt runs, and wait until they have tidied up."""
        for reference in references:
            self._ray.cancel(reference)
        if references:
            self._ray.wait(references, num_returns=len(references), timeout=_CLEAN_UP_SECONDS)


def _attempt(work: Work, experiment: Experiment, setup: Setup) -> Outcome:
    setup.apply()
    with trusting(setup.trust):
        return work(experiment, lambda text: None)


def _import() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ZooError("Ray is not installed: pip install 'anomalib-zoo[ray]'") from error
    return ray
