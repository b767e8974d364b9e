"""How much faster SuperAD is as an OpenVINO graph than in torch, on one processor.

    python benchmarks/superad_export.py --out results/superad_export.csv

Processor time of one process, passes of both taken in turn. Weights and images are random: they do
not change the arithmetic.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from zoo_plugins.superad import ZooSuperAD

from zoo.predict.openvino_core import openvino_core
from zoo.utils.process import quiet
from zoo.utils.timing import processor_name, versions

MODELS = {
    "tf_efficientnet_lite0": (["blocks.2", "blocks.4"], (288, 288), 3),
    "vit_small_patch14_dinov2": (["blocks.6"], (280, 280), 1),
}
BATCHES = (1, 4)


def main() -> None:
    """Measure all models, and write one row each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bank_size", type=int, default=20_000)
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    quiet()
    rows = []
    for backbone, (layers, size, pooling) in MODELS.items():
        model = _fitted(backbone, layers, size, pooling, args.bank_size)
        with tempfile.TemporaryDirectory() as folder:
            path = model.to_openvino(folder, input_size=size, onnx_kwargs={"opset_version": 18})
            settings = {
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": "f32",
            }
            graph = openvino_core().compile_model(path, "CPU", settings)
            rows += [_measured(backbone, model, graph, size, n, args.passes) for n in BATCHES]
        print(rows[-2:], flush=True)
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _fitted(
    backbone: str, layers: list[str], size: tuple[int, int], pooling: int, bank_size: int
) -> ZooSuperAD:
    torch.manual_seed(0)
    model = ZooSuperAD(
        backbone, "random", layers, shorter_side=size[0], bank_size=bank_size, pooling=pooling
    )
    model.eval()
    tokens = model.model.tokens(torch.rand(1, 3, *size))
    for bank, each in zip(model.model.banks, tokens, strict=True):
        bank.collect(torch.randn(1, each.shape[1], bank_size, 1))
        bank.fit()
    return model


def _measured(
    backbone: str,
    model: ZooSuperAD,
    graph: openvino.CompiledModel,
    size: tuple[int, int],
    n_images: int,
    passes: int,
) -> dict[str, Any]:
    images = torch.rand(n_images, 3, *size)

    def in_torch() -> np.ndarray:
        with torch.inference_mode():
            return model(images).anomaly_map.numpy()

    def in_openvino() -> np.ndarray:
        return graph(images.numpy())["anomaly_map"]

    difference = float(abs(in_torch() - in_openvino()).max())
    seconds = {in_torch: [], in_openvino: []}
    for _ in range(passes):
        for work, times in seconds.items():
            begin = time.process_time()
            work()
            times.append(time.process_time() - begin)
    torch_s, openvino_s = (float(np.median(times)) / n_images for times in seconds.values())
    return {
        "backbone": backbone,
        "size": "x".join(map(str, size)),
        "batch": n_images,
        "bank_size": len(model.model.banks[0].entries),
        "torch_cpu_ms": round(1e3 * torch_s, 1),
        "openvino_cpu_ms": round(1e3 * openvino_s, 1),
        "ratio": round(torch_s / openvino_s, 2),
        "largest_difference": f"{difference:.1e}",
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        "torch": versions()["torch"],
        "openvino": openvino.__version__.split("-")[0],
        "command": f"python benchmarks/superad_export.py --passes {passes}",
    }


if __name__ == "__main__":
    main()
