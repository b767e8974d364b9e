"""What post-processing and metrics cost, beside anomalib's in one process.

    python benchmarks/post_cost.py --out results/post_cost.csv

One thread, seconds of processor time, so that a busy machine changes little; resident memory above
that at the start of each piece of work. Maps are smooth noise with blobs on it, drawn by a seed.
Anomalib keeps every pixel: 100 maps of 1024x1024 take it 4 to 6 GB. `--maps-of-anomalib` says how
many of the 100 it gets; its figures are scaled from there, which favours it, since it sorts.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from anomalib.metrics.aupro import _AUPRO
from anomalib.post_processing import mebin as theirs
from scipy import ndimage
from torchmetrics.classification import BinaryAUROC, BinaryPrecisionRecallCurve

from zoo.methods.post_processor import BlobPostProcessor
from zoo.metrics import PixelCounts, PixelScores
from zoo.postprocess import Calibration, Midway, finish
from zoo.postprocess.mebin import blob_counts, stable_level
from zoo.utils.process import return_memory
from zoo.utils.timing import PeakMemory, processor_name, versions

NATIVE = (2048, 2448)


@dataclass
class Row:
    """One line of the table; a factor above 1 says how many times less is needed here."""

    work: str
    ours_cpu_s: float | None = None
    other: str = ""
    other_cpu_s: float | None = None
    factor: float | None = None
    ours_above_start_mb: float | None = None
    other_above_start_mb: float | None = None
    must: str = ""
    met: bool | None = None
    agreement: str = ""


def main() -> None:
    """Measure everything, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--maps-of-anomalib", type=int, default=25, metavar="N")
    parser.add_argument("--quick", action="store_true", help="a tenth of the maps, to try it out")
    args = parser.parse_args()
    return_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows: list[Row] = []
    share = 10 if args.quick else 1
    for part in (
        lambda: metrics(100 // share, min(args.maps_of_anomalib, 100 // share)),
        lambda: streaming(300 // share),
        post_processing,
        mebin_large,
        mebin_small,
    ):
        for row in part():
            rows.append(row)
            print({key: value for key, value in asdict(row).items() if value not in (None, "")})
    table = pd.DataFrame([asdict(row) for row in rows])
    packages = versions()
    table["processor"] = processor_name()
    for package in ("anomalib", "torch", "numpy"):
        table[package] = packages[package]
    table["opencv"] = cv2.__version__
    if args.out:
        table.to_csv(args.out, index=False, float_format="%.4g")


def cpu_seconds(work: Callable[[], Any], passes: int = 1) -> float:
    """Return the median processor time of a piece of work."""
    taken = []
    for _ in range(passes):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return float(np.median(taken))


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what the work gives, its processor time, and its peak of memory above the start."""
    gc.collect()
    with PeakMemory() as memory:
        begin = time.process_time()
        value = work()
        taken = time.process_time() - begin
    return value, taken, memory.peak_mb - memory.start_mb


def score_map(seed: int, size: tuple[int, int], blobs: int = 3, smooth: float = 2.0) -> np.ndarray:
    """Return smooth noise around 1 with discs on it, float32 (H, W)."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.standard_normal(size, np.float32), (0, 0), smooth)
    drawn = 1 + 0.1 * noise / noise.std()
    scale = min(size) / 256
    for _ in range(blobs):
        centre = [int(random.integers(0, side)) for side in size[::-1]]
        disc = cv2.circle(np.zeros(size, np.float32), centre, int(9 * scale), 1, -1)
        drawn += disc * random.uniform(0.3, 1)
    return drawn


def truth_of(seed: int, drawn: np.ndarray) -> np.ndarray:
    """Return a mask that half agrees with a map: every second image is good."""
    if seed % 2:
        return np.zeros(drawn.shape, bool)
    return cv2.GaussianBlur(drawn, (0, 0), 4) > 1.25


def metrics(n_maps: int, n_theirs: int) -> list[Row]:
    """AUROC, best F1 and AU-PRO of maps of 1024x1024; drawing them is in no figure."""
    base = [score_map(seed, (1024, 1024)) for seed in range(4)]
    truths = [truth_of(seed, each) for seed, each in enumerate(base)]
    # Other scores in every map, at no cost that counts.
    factors = np.linspace(0.9, 1.1, n_maps, dtype=np.float32)

    def ours(n: int) -> PixelScores:
        pixels = PixelScores()
        for index, factor in enumerate(factors[:n]):
            pixels.update(base[index % 4] * factor, truths[index % 4])
        return pixels

    def our_values(n: int) -> tuple[float, float, float]:
        pixels = ours(n)
        return pixels.pixel_auroc, pixels.oracle_segf1, pixels.au_pro(0.05)

    _, ours_s, ours_mb = measured(lambda: our_values(n_maps))
    values = our_values(n_theirs)
    rows, total = [], 0.0
    largest = 0.0
    for name, make, value in zip(
        ("AUROC", "best F1", "AU-PRO 0.05"), (_auroc, _best_f1, _au_pro), values, strict=True
    ):

        def work(make: Callable = make) -> float:
            update, compute = make()
            for index, factor in enumerate(factors[:n_theirs]):
                scores = torch.from_numpy(base[index % 4] * factor)
                update(scores[None], torch.from_numpy(truths[index % 4])[None].long())
            return compute()

        found, taken, above = measured(work)
        scale = n_maps / n_theirs
        total, largest = total + scale * taken, max(largest, scale * above)
        rows.append(
            Row(
                f"{name} alone, {n_maps} maps 1024x1024",
                other=f"anomalib, scaled from {n_theirs} maps",
                other_cpu_s=scale * taken,
                other_above_start_mb=scale * above,
                agreement=f"difference {abs(found - value):.1e}",
            )
        )
    factor = total / ours_s
    rows.append(
        Row(
            f"AUROC + best F1 + AU-PRO of {n_maps} maps 1024x1024",
            ours_s,
            f"anomalib, scaled from {n_theirs} maps",
            total,
            factor,
            ours_mb,
            largest,
            "factor >= 30, < 200 MB above start",
            bool(factor >= 30 and ours_mb < 200),
        )
    )
    return rows


def _auroc() -> tuple[Callable, Callable]:
    # Anomalib's AUROC is this class; scores above 1 would go through a sigmoid.
    metric = BinaryAUROC()
    return (lambda s, t: metric.update(s / 4, t)), lambda: float(metric.compute())


def _best_f1() -> tuple[Callable, Callable]:
    # What its F1AdaptiveThreshold computes before it takes the argmax.
    metric = BinaryPrecisionRecallCurve()

    def compute() -> float:
        precision, recall, _ = metric.compute()
        return float((2 * precision * recall / (precision + recall + 1e-10)).max())

    return (lambda s, t: metric.update(s / 4, t)), compute


def _au_pro() -> tuple[Callable, Callable]:
    metric = _AUPRO(fpr_limit=0.05)
    return (lambda s, t: metric.update(s / 4, t)), lambda: float(metric.compute())


def streaming(n_maps: int) -> list[Row]:
    """Masks, SegF1 and all pixel metrics of maps of 2448x2048: memory does not grow."""
    base = [score_map(seed, NATIVE) for seed in range(4)]
    truths = [truth_of(seed, each) for seed, each in enumerate(base)]
    calibration, peaks = Calibration(1.35, min_area_px=10), []
    counts, pixels = PixelCounts(), PixelScores()

    def part(begin: int, end: int) -> None:
        for index in range(begin, end):
            drawn = base[index % 4] * np.float32(0.9 + 0.2 * index / n_maps)
            done = finish(drawn, drawn.shape, calibration)
            counts.update(done.mask, truths[index % 4])
            pixels.update(done.score_map, truths[index % 4])

    third = n_maps // 3
    start = None
    total = 0.0
    for begin in range(0, n_maps, third):
        with PeakMemory() as memory:
            start = memory.start_mb if start is None else start
            total += cpu_seconds(lambda begin=begin: part(begin, begin + third))
        peaks.append(memory.peak_mb - start)
    told = ", ".join(f"{peak:.0f}" for peak in peaks)
    return [
        Row(
            f"masks, SegF1, AUROC, F1, AU-PRO of {n_maps} maps 2448x2048",
            total,
            ours_above_start_mb=max(peaks),
            must="constant memory: the last third at most 20 MB above the first",
            met=peaks[-1] - peaks[0] < 20,
            agreement=f"peaks of the thirds {told} MB; AU-PRO {pixels.au_pro():.4f}",
        )
    ]


def post_processing() -> list[Row]:
    """`finish` with the default rule's calibration, on maps from clean to noisy."""
    normal = [score_map(seed, NATIVE, blobs=0) for seed in range(20, 23)]
    default = BlobPostProcessor().rule.map_only()
    rules = {f"default rule, {type(default).__name__}": default}
    rules["the dearest, Midway(robust)"] = Midway(normalisation="robust")
    maps = {
        "clean": normal[0],
        "three blobs": score_map(1, NATIVE),
        "fine noise": score_map(2, NATIVE, smooth=0.6),
        "brighter lamp": normal[1] + np.float32(0.2),
    }
    rows = []
    for label, rule in rules.items():
        calibration = rule(normal)
        for kind, drawn in maps.items():
            threshold = calibration.threshold
            if calibration.normalisation != "none":
                level = np.median(drawn)
                spread = np.quantile(drawn, 0.9) - level
                threshold = level + threshold * (
                    spread if calibration.normalisation == "robust" else 1
                )

            def floor(drawn: np.ndarray = drawn, threshold: float = float(threshold)) -> None:
                above = cv2.threshold(drawn, threshold, 1, cv2.THRESH_BINARY)[1]
                cv2.connectedComponentsWithStats(above.astype(np.uint8), connectivity=8)

            def work(drawn: np.ndarray = drawn, calibration: Calibration = calibration) -> None:
                finish(drawn, drawn.shape, calibration)

            work()
            # By turns, so that both meet the same machine.
            pairs = [(cpu_seconds(work), cpu_seconds(floor)) for _ in range(9)]
            ours, other = (float(np.median(column)) for column in zip(*pairs, strict=True))
            rows.append(
                Row(
                    f"finish of a {kind} map 2448x2048, {label}",
                    ours,
                    "cv2 threshold + connectedComponentsWithStats",
                    other,
                    other / ours,
                    must="at most 3 times the other",
                    met=ours <= 3 * other,
                    agreement=f"{len(finish(drawn, drawn.shape, calibration).blobs)} blobs",
                )
            )
    return rows


def _our_sweep(drawn: np.ndarray) -> tuple[int, int, np.ndarray]:
    counts = blob_counts(drawn, float(drawn.min()), float(drawn.max()))
    return *stable_level(counts), counts


def _reference_counts(drawn: np.ndarray) -> list[int]:
    """The reference's order of operations, with scipy: threshold, erode, label, at each level."""
    low, high = float(drawn.min()), float(drawn.max())
    scaled = (drawn - np.float32(low)) / np.float32(high - low) * np.float32(255)
    return [
        ndimage.label(
            ndimage.binary_erosion(scaled > level, np.ones((6, 6)), border_value=1),
            np.ones((3, 3)),
        )[1]
        for level in range(255, 0, -4)
    ]


def mebin_large() -> list[Row]:
    """Our sweep at native size, on the kinds of map that differ most."""
    rows = []
    for kind, drawn in {
        "blobs": score_map(5, NATIVE),
        "noise": score_map(6, NATIVE, blobs=0, smooth=1.0),
    }.items():
        taken = cpu_seconds(lambda drawn=drawn: _our_sweep(drawn), passes=5)
        rows.append(
            Row(f"MEBin sweep of a 2448x2048 map, {kind}", taken, must="< 0.7 s", met=taken < 0.7)
        )
    return rows


def mebin_small() -> list[Row]:
    """The sweep of 64 thresholds on one map of 256x256, anomalib's 1,000 passes each."""
    drawn = score_map(7, (256, 256))
    ours = cpu_seconds(lambda: _our_sweep(drawn), passes=50)
    counted: list[int] = []
    count = theirs._count_connected_components
    theirs._count_connected_components = lambda mask: _noted(count(mask), counted)
    try:
        tensor = torch.from_numpy(drawn)[None, None]
        with torch.inference_mode():
            _, other, other_mb = measured(lambda: theirs.mebin_binarize(tensor))
    finally:
        theirs._count_connected_components = count
    mine = _our_sweep(drawn)[2].tolist()
    equal = mine == _reference_counts(drawn)
    agreement = f"64 counts equal the reference's: {equal}, anomalib's: {mine == counted}"
    factor = other / ours
    must, met = "factor >= 2000, counts as the reference", bool(factor >= 2000 and equal)
    return [
        Row(
            "MEBin sweep of a 256x256 map",
            ours,
            "anomalib's mebin_binarize",
            other,
            factor,
            None,
            other_mb,
            must,
            met,
            agreement,
        )
    ]


def _noted(found: torch.Tensor, counted: list[int]) -> torch.Tensor:
    counted.append(int(found[0]))
    return found


if __name__ == "__main__":
    main()
