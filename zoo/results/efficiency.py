"""What one picture costs a fitted run: time, memory, parameters and operations, by picture size.

In the shape of the runtime script of MVTec AD 2 (batch 1, random data, copies between host and
device included), which is the nearest hint at VAND 4.0's efficiency prize. Its formula is not
public: these are measurements and no score. Timed is the way from a decoded picture in memory to
its finished mask, resizing included; reading files is not.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms.v2 import Compose

from zoo.data.tiling import Scaled, ScaledPreProcessor, TilingPreProcessor
from zoo.data.transforms import leading_resize, parts_of, size_at
from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.check import check_run
from zoo.runs.load import load_run
from zoo.utils.errors import ZooError
from zoo.utils.timing import PeakMemory, measure_latency, processor_name, versions

SIZES = ((256, 256), (512, 512), (1024, 1224))  # (H, W) as in the runtime script
PASSES, SECONDS = 20, 30.0
_MULTIPLES = (1, 14, 16, 32)  # patches of vision transformers, strides of pyramids


@dataclass(frozen=True)
class Efficiency:
    """One row: a run and a picture size.

    Attributes:
        recipe: The run's recipe, and so on for method, object and seed.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
        input_height: Of what the network sees of it.
        input_width: Of what the network sees of it.
        map_height: Of the score map as the method gives it.
        map_width: Of the score map as the method gives it.
        p50_ms: Median time of one picture.
        p95_ms: 95th percentile.
        passes: How many were timed, after three that were not.
        seconds: How long they took together.
        parameters: Of the network; a memory bank is none.
        gflops: 10**9 floating-point operations of torch's products and convolutions; what
            other libraries calculate is not counted.
        peak_rss_mb: Main memory of the process, libraries and model included.
        above_start_mb: Of it, what was not there before the first pass.
        peak_device_mb: Memory reserved on the graphics card; None on a CPU.
        device: Name of the graphics card, or cpu.
        processor: Name of the processor.
        threads: Threads of torch.
        torch: Version of torch.
        zoo: Version of anomalib-zoo.
    """

    recipe: str
    method: str
    object: str
    seed: int
    height: int
    width: int
    input_height: int
    input_width: int
    map_height: int
    map_width: int
    p50_ms: float
    p95_ms: float
    passes: int
    seconds: float
    parameters: int
    gflops: float
    peak_rss_mb: float
    above_start_mb: float
    peak_device_mb: float | None
    device: str
    processor: str
    threads: int
    torch: str
    zoo: str

    def to_dict(self) -> dict:
        """Return the row as plain data."""
        return asdict(self)


def measure(
    folder: Path,
    size: tuple[int, int],
    passes: int = PASSES,
    seconds: float = SECONDS,
    device: str | None = None,
    full_size: bool = False,
) -> Efficiency:
    """Time a fitted run on random pictures of one size, one at a time.

    Args:
        folder: The run's folder.
        size: (H, W) of the pictures in pixels.
        passes: Passes that are timed, at least.
        seconds: Time that is measured, at least.
        device: Where to run; a graphics card by default if there is one.
        full_size: The network sees the picture at its own size, whatever the recipe resizes to, or
            at the nearest one that it takes.

    Raises:
        ZooError: No run, one without a model, or a network that takes no such size.
    """
    facts = check_run(folder)
    detector = load_run(folder, device)
    if full_size:
        detector = unscaled(detector, size)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    on_card = detector.model.device.type == "cuda"
    if on_card:
        torch.cuda.reset_peak_memory_stats()
    with PeakMemory() as memory:
        timed = measure_latency(
            lambda: detector.predict(picture),
            min_passes=passes,
            min_seconds=seconds,
            max_seconds=math.inf,
        )
    height, width = detector.score(picture)[0].shape
    seen = size_at(size, leading_resize(getattr(detector.model.pre_processor, "transform", None)))
    found = versions()
    return Efficiency(
        **{name: facts[name] for name in ("recipe", "method", "object", "seed")},
        height=size[0],
        width=size[1],
        input_height=seen[0],
        input_width=seen[1],
        map_height=height,
        map_width=width,
        p50_ms=timed["p50_ms"],
        p95_ms=timed["p95_ms"],
        passes=timed["passes"],
        seconds=timed["mean_ms"] * timed["passes"] / 1e3,
        parameters=sum(each.numel() for each in detector.model.parameters()),
        gflops=operations(detector, picture) / 1e9,
        peak_rss_mb=memory.peak_mb,
        above_start_mb=memory.peak_mb - memory.start_mb,
        peak_device_mb=torch.cuda.max_memory_reserved() / 1e6 if on_card else None,
        device=torch.cuda.get_device_name() if on_card else detector.model.device.type,
        processor=processor_name(),
        threads=torch.get_num_threads(),
        torch=found["torch"],
        zoo=found["anomalib-zoo"],
    )


def unscaled(detector: TorchPredictor, size: tuple[int, int]) -> TorchPredictor:
    """Return a detector whose network sees pictures of a size as they are.

    Where the network takes no such size, pictures are scaled to the nearest multiples of a patch or
    a stride that it takes.

    Args:
        detector: Its pre-processor is replaced.
        size: (H, W) of the pictures in pixels.

    Raises:
        ZooError: Its pre-processor cuts tiles, or resizes nothing. Or the network takes no size
            near this one.
    """
    model, own = detector.model, detector.model.pre_processor
    if leading_resize(own.transform) is None or isinstance(own, TilingPreProcessor):
        raise ZooError("this run's pre-processor resizes no whole pictures: leave out --full-size")
    rest = parts_of(own.transform)[1:]
    then, reduction = Compose(rest) if rest else None, getattr(own, "map_reduction", 1)
    blank = np.zeros((*size, 3), np.uint8)
    for multiple in _MULTIPLES:
        model.pre_processor = ScaledPreProcessor(Scaled(1.0, multiple=multiple), then, reduction)
        changed = TorchPredictor(model, detector.calibration)
        try:
            changed.score(blank)
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = error
        else:
            return changed
    raise ZooError(f"the network takes no picture of {size[0]}x{size[1]}: {reason}")


def operations(detector: TorchPredictor, picture: np.ndarray) -> int:
    """Return the floating-point operations of torch for the score map of one picture."""
    # The counter hooks the gradient of a parameter that is handed to a module: there must be none.
    detector.model.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        detector.score(picture)
    return counter.get_total_flops()
