"""What one image costs a fitted run: time, memory, parameters and operations, by image size.

In the shape of the runtime script of MVTec AD 2 (batch 1, random data, copies between host and
device included), which is the nearest hint at VAND 4.0's efficiency prize. Its formula is not
public: these are measurements and no score. Timed is the way from a decoded image in memory to
its finished mask, resizing included; reading files is not.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo.data.transforms import leading_resize, pre_processing_of, size_at
from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.check import check_run
from zoo.runs.rebuild import load_run
from zoo.utils.timing import PeakMemory, measure_latency, processor_name, versions

SIZES = ((256, 256), (512, 512), (1024, 1224))  # (H, W) as in the runtime script
PASSES, SECONDS = 20, 30.0


def measure(
    folder: Path,
    size: tuple[int, int],
    passes: int = PASSES,
    seconds: float = SECONDS,
    device: str | None = None,
) -> dict[str, Any]:
    """Return one row: what a fitted run costs on random images of one size, one at a time.

    Sizes are in pixels, memory in MB of 10**6 bytes; `input_height` is of what the network sees,
    `map_height` of the score map as the method gives it. `peak_rss_mb` is that of the process,
    libraries and model included; `above_start_mb` what was not there before the first pass;
    `peak_device_mb` what was reserved on the GPU, None on a CPU. `gflops` are 10**9 operations of
    torch's products and convolutions, and of no other library.

    Args:
        folder: The run's folder.
        size: (H, W) of the images in pixels.
        passes: Passes that are timed, at least.
        seconds: Time that is measured, at least.
        device: Where to run; a GPU by default if there is one.

    Raises:
        ZooError: No run, or one without a model.
    """
    facts = check_run(folder)
    predictor = load_run(folder, device)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    is_on_gpu = predictor.model.device.type == "cuda"
    if is_on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with PeakMemory() as memory:
        timed = measure_latency(
            lambda: predictor.predict(image),
            min_passes=passes,
            min_seconds=seconds,
            max_seconds=math.inf,
        )
    height, width = predictor.score(image)[0].shape
    seen = size_at(size, leading_resize(pre_processing_of(predictor.model.pre_processor).transform))
    installed = versions()
    return {
        **{name: facts[name] for name in ("recipe", "method", "object", "seed")},
        "height": size[0],
        "width": size[1],
        "input_height": seen[0],
        "input_width": seen[1],
        "map_height": height,
        "map_width": width,
        **{name: timed[name] for name in ("p50_ms", "p95_ms", "passes")},
        "seconds": timed["mean_ms"] * timed["passes"] / 1e3,
        "parameters": sum(parameter.numel() for parameter in predictor.model.parameters()),
        "gflops": operations(predictor, image) / 1e9,
        "peak_rss_mb": memory.peak_mb,
        "above_start_mb": memory.peak_mb - memory.start_mb,
        "peak_device_mb": torch.cuda.max_memory_reserved() / 1e6 if is_on_gpu else None,
        "device": torch.cuda.get_device_name() if is_on_gpu else predictor.model.device.type,
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "torch": installed["torch"],
        "zoo": installed["anomalib-zoo"],
    }


def operations(predictor: TorchPredictor, image: np.ndarray) -> int:
    """Return the floating-point operations of torch for the score map of one image."""
    # The counter hooks the gradient of a parameter that is handed to a module: there must be none.
    predictor.model.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        predictor.score(image)
    return counter.get_total_flops()
