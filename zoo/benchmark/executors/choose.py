"""Which executor a command line asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from zoo.benchmark.executors import Executor
from zoo.benchmark.executors.processes import Processes
from zoo.benchmark.executors.sequential import Sequential
from zoo.benchmark.executors.worker import Setup
from zoo.recipes.trust import is_trusting
from zoo.utils.errors import ZooError

EXECUTORS = ("local", "ray")


def choose(
    executor: str = "local",
    jobs: int | None = None,
    threads: int | None = None,
    devices: Sequence[str] = (),
    address: str | None = None,
    debug: bool = False,
) -> Executor:
    """Return the executor of a grid.

    Args:
        executor: One of `EXECUTORS`.
        jobs: Runs at a time; one, one per device, or what the cluster takes by default.
        threads: Of each run; by default those of this process, divided among the jobs here.
        devices: CUDA devices of this machine, one run at a time on each.
        address: Of the Ray cluster.
        debug: Whether libraries may say what they like.

    Raises:
        ZooError: The words do not fit each other, or the machine.
    """
    setup = Setup(is_trusting(), debug)
    here = torch.get_num_threads()
    if executor == "ray":
        if devices:
            raise ZooError("--devices is for this machine: Ray gives each run a GPU of its own")
        from zoo.benchmark.executors.ray_cluster import Ray

        return Ray(address, jobs, threads or here, setup)
    if address:
        raise ZooError("--address is that of a Ray cluster: add --executor ray")
    if devices:
        if jobs not in (None, len(devices)):
            raise ZooError(f"--devices names {len(devices)}, --jobs {jobs}: one run per device")
        visible = visible_devices(devices)
        each = threads or max(1, here // len(devices))
        return Processes(len(devices), each, setup, visible)
    if jobs in (None, 1) and threads is None:
        return Sequential()
    jobs = jobs or 1
    return Processes(jobs, threads or max(1, here // jobs), setup)


def visible_devices(devices: Sequence[str]) -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES must be for each device to be the only one.

    Numbers count among the devices that are visible now, as torch counts them; other names, such
    as GPU-5ebe9f43, are taken as they are.

    Raises:
        ZooError: A device is named twice, or is not there.
    """
    if len(set(devices)) < len(devices):
        raise ZooError(f"--devices {','.join(devices)} names a device twice")
    count = torch.cuda.device_count()
    for device in devices:
        if device.isdigit() and int(device) >= count:
            raise ZooError(f"there is no device {device}: torch sees {count} CUDA devices here")
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = listed.split(",") if listed else [str(index) for index in range(count)]
    return [names[int(each)] if each.isdigit() else each for each in devices]
