"""How time and memory are measured, and the schema of `cost.json`.

Schema of `cost.json` (times in seconds unless the key says ms; memory in MB of 10**6 bytes):

    phases         {phase: {"wall_s", "cpu_s"}} where the time of a run went
    latency        {"p50_ms", "p95_ms", "mean_ms", "passes", "batch_size": 1} one image, from the
                   decoded image at model size to its finished mask at native size
    memory         {"peak_rss_mb", "above_start_mb", "peak_device_mb"} of the process, sampled;
                   what earlier runs of the same process left behind counts in the first
    parameters     number of parameters of the network
    device         "cpu" or the name of the accelerator
    processor      name of the machine's processor
    threads        torch threads
    versions       {package: version}
"""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

PACKAGES = (
    "anomalib-zoo",
    "anomalib",
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "kornia",
    "numpy",
    "opencv-python-headless",
    "pillow",
)
_SAMPLE_SECONDS = 0.02
_MB = 1e6


@dataclass
class Stopwatch:
    """Adds up wall and processor time per named phase."""

    phases: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of a block under `name`; several blocks of one name add up."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            entry = self.phases.setdefault(name, {"wall_s": 0.0, "cpu_s": 0.0})
            entry["wall_s"] += time.perf_counter() - wall
            entry["cpu_s"] += time.process_time() - cpu

    @property
    def total_s(self) -> float:
        """Wall seconds of all phases."""
        return sum(entry["wall_s"] for entry in self.phases.values())


class PeakMemory:
    """Samples the resident memory of this process in MB, every 20 ms, while a block runs."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self.start_mb = self.peak_mb = self._process.memory_info().rss / _MB
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.peak_mb = max(self.peak_mb, self._process.memory_info().rss / _MB)


def measure_latency(
    work: Callable[[], Any],
    warm_up: int = 3,
    min_passes: int = 20,
    min_seconds: float = 0.0,
    max_seconds: float = 30.0,
) -> dict[str, float | int]:
    """Time repeated calls, after `warm_up` ones that do not count.

    Args:
        work: One pass; it must wait for its device.
        warm_up: Passes before counting.
        min_passes: Passes that count, at least.
        min_seconds: Least time to measure.
        max_seconds: Stop after this much time even with fewer passes (but at least one).

    Returns:
        p50_ms, p95_ms, mean_ms per pass, and the number of passes.
    """
    for _ in range(warm_up):
        work()
    times: list[float] = []
    while True:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
        enough = len(times) >= min_passes and sum(times) >= min_seconds
        if enough or sum(times) >= max_seconds:
            break
    milliseconds = 1e3 * np.asarray(times)
    return {
        "p50_ms": float(np.percentile(milliseconds, 50)),
        "p95_ms": float(np.percentile(milliseconds, 95)),
        "mean_ms": float(milliseconds.mean()),
        "passes": len(times),
        "batch_size": 1,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide numbers."""
    by_package = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            by_package[package] = version(package)
        except PackageNotFoundError:
            by_package[package] = "not installed"
    return by_package


def processor_name() -> str:
    """Return the processor's name as the system reports it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
