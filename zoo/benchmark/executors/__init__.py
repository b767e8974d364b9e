"""Where the runs of a grid are computed: here, in processes of this machine, or on a cluster.

Numbers do not depend on it: a run computes with the threads that its hash names, wherever it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zoo.recipes.trust import is_trusting
from zoo.utils.errors import ZooError
from zoo.utils.process import print_any_text, quiet, return_memory, share_cores

if TYPE_CHECKING:
    from zoo.benchmark.attempt import Outcome
    from zoo.recipes.experiment import Experiment
    from zoo.utils.progress import GridProgress

    Work = Callable[[Experiment, Callable[[str], None]], Outcome]  # a picklable one


class Executor(Protocol):
    """Computes runs.

    Attributes:
        jobs: Runs at a time; None where a cluster decides.
        threads: Torch threads of each run.
    """

    jobs: int | None
    threads: int

    def __call__(
        self, runs: Mapping[int, Experiment], progress: GridProgress
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Attempt all runs and yield the number of each with its outcome, in any order.

        Whoever closes the iterator, or interrupts it, ends the runs that go on; they leave behind
        what lets the same command go on, and nothing else.

        Args:
            runs: By their number in the grid.
            progress: Shows which runs go on and what they are doing.
        """
        ...


@dataclass(frozen=True)
class Setup:
    """How a process behaves that computes runs for another one.

    Attributes:
        trust: Whether recipes and checkpoints are used unchecked.
        debug: Whether libraries may print what they like.
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


def environment(threads: int) -> dict[str, str]:
    """Return the variables that let every library of a new process compute with so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: str(threads) for name in names}


class Sequential:
    """The executor that needs nothing: one run after the other, in this process."""

    jobs: int | None = 1

    def __init__(self, work: Work, threads: int) -> None:
        self.work, self.threads = work, threads

    def __call__(
        self, runs: Mapping[int, Experiment], progress: GridProgress
    ) -> Generator[tuple[int, Outcome], None, None]:
        """Attempt all runs in order."""
        for index, experiment in runs.items():
            progress.begin(index, experiment.label)
            yield index, self.work(experiment, progress.update)


def choose(
    work: Work,
    executor: str = "local",
    jobs: int | None = None,
    threads: int | None = None,
    devices: Sequence[str] = (),
    address: str | None = None,
    debug: bool = False,
) -> Executor:
    """Return the executor of a grid.

    Args:
        work: What is done with each experiment.
        executor: local or ray.
        jobs: Runs at a time; one, one per device, or what the cluster takes by default.
        threads: Of each run; by default those of this process, divided among the jobs here.
        devices: CUDA devices of this machine, one run at a time on each.
        address: Of the Ray cluster.
        debug: Whether libraries may print what they like.

    Raises:
        ZooError: The options do not fit each other, or the machine.
    """
    import torch

    setup = Setup(is_trusting(), debug)
    here = torch.get_num_threads()
    if executor == "ray":
        if devices:
            raise ZooError("--devices is for this machine: Ray gives each run a GPU of its own")
        from zoo.benchmark.executors.ray_cluster import Ray

        return Ray(work, address, jobs, threads or here, setup)
    if address:
        raise ZooError("--address is that of a Ray cluster: add --executor ray")
    if not devices and jobs in (None, 1) and threads is None:
        return Sequential(work, here)
    from zoo.benchmark.executors.processes import Processes

    if not devices:
        jobs = jobs or 1
        return Processes(work, jobs, threads or max(1, here // jobs), setup)
    if jobs not in (None, len(devices)):
        raise ZooError(f"--devices names {len(devices)}, --jobs {jobs}: one run per device")
    visible = visible_devices(devices, torch.cuda.device_count())
    return Processes(work, len(devices), threads or max(1, here // len(devices)), setup, visible)


def visible_devices(devices: Sequence[str], count: int) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES must be for each device to be the only one.

    Numbers count among the devices that are visible now, as torch counts them; other names, such
    as GPU-5ebe9f43, are taken as they are.

    Args:
        devices: Numbers or names.
        count: How many CUDA devices torch sees.

    Raises:
        ZooError: A device is named twice, or is not there.
    """
    if len(set(devices)) < len(devices):
        raise ZooError(f"--devices {','.join(devices)} names a device twice")
    for device in devices:
        if device.isdigit() and int(device) >= count:
            raise ZooError(f"there is no device {device}: torch sees {count} CUDA devices here")
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = listed.split(",") if listed else [str(index) for index in range(count)]
    return [names[int(device)] if device.isdigit() else device for device in devices]
