"""Exported graphs beside their runs: speed, largest differences, and what int8 costs in SegF1.

    python benchmarks/export_table.py --runs DIR... --data DIR --out results/export.csv

Processor time of one thread, one image at a time, from the image in memory to its mask, both
sides in turn in one process. Graphs are made where they are missing and taken as they are where
they were made from this very run; rows of other runs in the file stay. SegF1 is that of
`metrics.json` for torch, and measured here for fp32 and int8, on one split. What int8 loses is
counted from fp32, which differs from torch where images of several sizes are cut into tiles.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from in_turns import compared

from zoo.data.images import read_image
from zoo.metrics import PixelCounts
from zoo.predict.graph import GraphPredictor
from zoo.predict.predictor import Predictor
from zoo.runs.agreement import check_graphs, standard_images
from zoo.runs.api import load
from zoo.runs.check import check_run, runs_below
from zoo.runs.export import NormalImages, export_run, graph_paths
from zoo.runs.normal_images import datamodule_of
from zoo.utils.errors import ZooError
from zoo.utils.process import quiet
from zoo.utils.progress import counted
from zoo.utils.timing import processor_name, versions

RESULTS = Path(__file__).parents[1] / "results" / "export.csv"
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}
PRECISIONS = ["fp32", "fp16", "int8"]
MEASURED = ("fp32", "int8")  # fp16 gives the masks of fp32, but for close calls
MOST_LOSS, LEAST_IMAGES = 0.01, 100  # int8's bar, and where it holds
KEY = ["recipe", "object", "seed", "runtime", "precision"]


def main() -> None:
    """Measure every run, and keep its rows as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the runs' data is now")
    parser.add_argument("--split", default="test_private")
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    arguments = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    for folder in [run for path in arguments.runs for run in runs_below(path)]:
        try:
            rows = list(_rows(folder, arguments.data, arguments.split, arguments.passes))
        except ZooError as error:  # the others go on
            print(f"{folder}: {error}", file=sys.stderr)
            continue
        _keep(rows, arguments.out)


def _rows(folder: Path, data: Path | None, split: str, passes: int) -> Iterator[dict[str, Any]]:
    facts = check_run(folder)
    images = NormalImages(folder, data)
    paths = graph_paths(folder / "exported", list(SUFFIXES.values()), PRECISIONS)
    export_run(folder, paths, images, reuse=True, log=lambda text: print(text, flush=True))
    normal = images.for_limits
    checked = check_graphs(folder, paths, standard_images(normal), {})
    image = read_image(normal[0])
    detector = load(folder, device="cpu")
    samples = datamodule_of(images.config()).listed(split)
    expected = facts["splits"].get(split, {}).get("segf1")
    in_fp32 = {}
    for path, agreement in zip(paths, checked.agreements, strict=True):
        graph = GraphPredictor(path, threads=1)
        timed = compared(
            path.name,
            lambda graph=graph: graph.predict(image),
            lambda: detector.predict(image),
            passes,
            bar=1.0,
        )
        found = _segf1(graph, samples) if agreement.precision in MEASURED else None
        if agreement.precision == "fp32":
            in_fp32[path.suffix] = found
        known = agreement.precision == "int8" and found is not None
        loss = in_fp32[path.suffix] - found if known else None
        heavy = path.parent.glob(f"{path.stem}.*")
        yield {
            **{name: facts[name] for name in ("recipe", "object", "seed")},
            "runtime": next(name for name, suffix in SUFFIXES.items() if suffix == path.suffix),
            "precision": agreement.precision,
            "is_cut": graph.metadata.is_cut,
            "torch_cpu_ms": round(1e3 * timed["theirs_cpu_s"], 1),
            "graph_cpu_ms": round(1e3 * timed["ours_cpu_s"], 1),
            "speed_up": round(timed["theirs_cpu_s"] / timed["ours_cpu_s"], 2),
            **{f"{key}_difference": each for key, each in asdict(agreement.difference).items()},
            "n_compared": agreement.n_images,
            "n_clear": agreement.n_clear,
            "split": split if found is not None else None,
            "n_images": len(samples) if found is not None else None,
            "torch_segf1": expected if found is not None else None,
            "segf1": found,
            "loss": loss,
            "within_bar": _verdict(loss, len(samples)) if known else None,
            "file_mb": round(sum(file.stat().st_size for file in heavy) / 1e6, 1),
        }


def _verdict(loss: float, n_images: int) -> str:
    """Return whether int8 loses no more than it may, where there are images enough to tell."""
    if n_images < LEAST_IMAGES:
        return "too few images"
    return "yes" if loss <= MOST_LOSS else "no"


def _segf1(predictor: Predictor, samples: Sequence) -> float | None:
    counts = PixelCounts()
    paths = [sample.image_path for sample in samples]
    found = counted(predictor.predict(paths), len(paths), "images of the split")
    for sample, prediction in zip(samples, found, strict=True):
        truth = sample.truth(prediction.mask.shape)
        if truth is None:
            return None
        counts.update(prediction.mask, np.asarray(truth, bool))
    return counts.segf1


def _keep(rows: list[dict[str, Any]], path: Path) -> None:
    found = versions()
    table = pd.DataFrame(rows).assign(
        threads=1,
        processor=processor_name(),
        torch=found["torch"],
        zoo=found["anomalib-zoo"],
        command="python benchmarks/export_table.py",
    )
    print(table.iloc[:, :15].to_string(index=False), flush=True)
    if path.is_file():
        old = pd.read_csv(path)
        made = set(table[KEY].itertuples(index=False, name=None))
        stays = [row not in made for row in old[KEY].itertuples(index=False, name=None)]
        table = pd.concat([old[stays], table])
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main()
