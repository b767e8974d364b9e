"""Detectors in a server: threads that share one, and its memory over images of many sizes.

    python benchmarks/serving.py --out results/serving.csv

A PatchCore with a random backbone and a random bank: what is measured does not depend on weights.
Each row is measured in a process of its own. Memory is what resides after the last image beyond
the most that resided while the first tenth of them was predicted.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

N_THREADS, N_EACH, N_SIZES = 8, 200, 300
MOST_MB = 100.0
RUNTIMES = ("torch", ".onnx", ".xml")
_SIDE, _SIDES = 128, (64, 1024)


def main() -> None:
    """Measure every runtime, write one row each, and fail where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, metavar="CSV")
    parser.add_argument("--predictions", type=int, default=N_EACH, help="of each thread")
    parser.add_argument("--sizes", type=int, default=N_SIZES)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for runtime in RUNTIMES:
            with context.Pool(1) as pool:
                differing = pool.apply(differing_in_threads, (runtime, folder, args.predictions))
            with context.Pool(1) as pool:
                grown = pool.apply(growth_mb, (runtime, folder, args.sizes))
            rows.append(
                {
                    "runtime": runtime,
                    "threads": N_THREADS,
                    "predictions": N_THREADS * args.predictions,
                    "differing": differing,
                    "sizes": args.sizes,
                    "growth_mb": round(grown, 1),
                    "met": differing == 0 and grown <= MOST_MB,
                }
            )
            print(rows[-1], flush=True)
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if not all(row["met"] for row in rows):
        raise SystemExit("a bar is missed")


def differing_in_threads(runtime: str, folder: str, n_each: int) -> int:
    """Return how many predictions of threads that share a detector are not those of one alone."""
    detector = _detector(runtime, Path(folder))
    images = [_image(np.random.default_rng(seed), 320) for seed in range(16)]
    alone = [detector.predict(image) for image in images]

    def work(thread: int) -> int:
        differing = 0
        for step in range(n_each):
            index = (thread * 5 + step) % len(images)
            found, expected = detector.predict(images[index]), alone[index]
            same = np.array_equal(found.anomaly_map, expected.anomaly_map)
            same &= np.array_equal(found.mask, expected.mask) and found.score == expected.score
            differing += not same
        return differing

    with ThreadPoolExecutor(N_THREADS) as pool:
        return sum(pool.map(work, range(N_THREADS)))


def growth_mb(runtime: str, folder: str, n_images: int) -> float:
    """Return by how much memory grows over images of random sizes, in MB."""
    detector = _detector(runtime, Path(folder))
    random = np.random.default_rng(0)
    resident, begin = psutil.Process(), 0
    for index in range(n_images):
        detector.predict(_image(random))
        now = resident.memory_info().rss
        if index < n_images // 10:
            begin = max(begin, now)
    return (now - begin) / 1e6


def _image(random: np.random.Generator, side: int | None = None) -> np.ndarray:
    height, width = (side, side) if side else random.integers(*_SIDES, 2)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _detector(runtime: str, folder: Path) -> Any:
    """Return a detector; a graph is exported when the first process asks for it."""
    from zoo.export import export_model
    from zoo.postprocess import Calibration
    from zoo.predict import GraphPredictor

    path = folder / f"model{runtime}"
    if runtime != "torch" and path.is_file():
        return GraphPredictor(path)
    import torch
    from zoo_plugins.patchcore import ZooPatchcore

    from zoo.predict.torch_predictor import TorchPredictor

    torch.manual_seed(0)
    model = ZooPatchcore(weights="random", image_size=_SIDE, bank_size=500, visualizer=False)
    model.model.collect(torch.rand(4, 3, _SIDE, _SIDE))
    model.model.fit_bank()
    detector = TorchPredictor(model, Calibration(0.0))
    scores = [detector.score(_image(np.random.default_rng(seed), 320))[0] for seed in range(4)]
    detector.calibration = Calibration(float(np.quantile(scores, 0.9)))
    if runtime == "torch":
        return detector
    return GraphPredictor(export_model(model, path, detector.calibration))


if __name__ == "__main__":
    main()
