"""What a deployed graph costs: one random image at a time, in a process that does nothing else.

`python -m zoo.export.cost GRAPH HEIGHT WIDTH DEVICE` is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from zoo.predict.graph import GraphPredictor
from zoo.utils.errors import ZooError
from zoo.utils.schema import NonNegative, parse_json, validated
from zoo.utils.timing import PeakMemory, measure_latency

_PASSES, _SECONDS = 10, 10.0


@dataclass(frozen=True)
class DeployedCost:
    """What one image costs.

    Attributes:
        latency_ms: Median time.
        p95_ms: 95th percentile.
        memory_mb: Peak resident memory of the process.
        file_mb: Size of the graph with its weights.
    """

    latency_ms: NonNegative
    p95_ms: NonNegative
    memory_mb: NonNegative
    file_mb: NonNegative


def deployed_cost(path: Path, size: tuple[int, int], device: str = "CPU") -> DeployedCost:
    """Measure a graph in a process of its own.

    Args:
        path: The graph.
        size: (H, W) of the image.
        device: As OpenVINO names it.

    Raises:
        ZooError: The graph does not run there.
    """
    command = [sys.executable, "-m", "zoo.export.cost", str(path), *map(str, size), device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ZooError(f"{path} does not run on {device}: {last}")
    name, repair = f"the cost of {path}", "measure again"
    answer = (done.stdout.splitlines() or [""])[-1]
    return validated(DeployedCost, parse_json(answer, name, repair), name, repair)


def measure(path: Path, size: tuple[int, int], device: str) -> DeployedCost:
    """Measure a graph in this process; arguments as `deployed_cost`."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    with PeakMemory() as memory:
        model = GraphPredictor(path, device)
        timed = measure_latency(
            lambda: model.predict(image), min_passes=_PASSES, max_seconds=_SECONDS
        )
    files = path.parent.glob(f"{path.stem}.*")
    return DeployedCost(
        latency_ms=timed["p50_ms"],
        p95_ms=timed["p95_ms"],
        memory_mb=memory.peak_mb,
        file_mb=sum(file.stat().st_size for file in files) / 1e6,
    )


if __name__ == "__main__":
    graph, height, width, device = sys.argv[1:]
    print(json.dumps(asdict(measure(Path(graph), (int(height), int(width)), device))))
