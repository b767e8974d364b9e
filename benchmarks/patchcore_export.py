"""An exported PatchCore beside the model that it was exported from: batch sizes, agreement, cost.

    python benchmarks/patchcore_export.py

One thread, processor time, batch 1, float32 in both; needs the extra `export`. The bank is drawn
from random images: its values do not change the cost. Rows go to results/patchcore_export.csv.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from bars import Bar, cpu_ms, write_table
from torch import Tensor
from zoo_plugins.patchcore import ZooPatchcore

from zoo.predict.openvino_core import openvino_core
from zoo.utils.seeding import apply_seed

RESULTS = Path(__file__).parents[1] / "results" / "patchcore_export.csv"
SIDE = 256
# Left alone, OpenVINO computes in bfloat16 where the processor can, and scores move by per cents.
SETTINGS = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}


def main() -> None:
    """Export models with a small and a large bank and measure them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--banks", type=int, nargs="+", default=[3072, 30_720], metavar="N")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bars = [bar for size in arguments.banks for bar in _bars(size)]
    write_table(bars, arguments.out, "python benchmarks/patchcore_export.py")


def _bars(bank_size: int) -> Iterator[Bar]:
    model = _fitted(bank_size)
    with tempfile.TemporaryDirectory() as folder:
        path = model.to_openvino(folder, input_size=(SIDE, SIDE))
        compiled = openvino_core().compile_model(path, "CPU", SETTINGS)
    run: Callable[[Tensor], Tensor] = lambda images: compiled([images.numpy()])  # noqa: E731
    differences, sizes = [], (1, 2, 5)
    with torch.no_grad():
        for size in sizes:
            images = _images(size, seed=100 + size)  # none that the bank has seen
            expected, found = model(images), run(images)
            for name in ("pred_score", "anomaly_map"):
                difference = torch.from_numpy(found[name]) - getattr(expected, name)
                differences.append(float(difference.abs().max() / expected.anomaly_map.max()))
        image = _images(1, seed=9)
        ours, theirs = cpu_ms(lambda: run(image), 15), cpu_ms(lambda: model(image), 15)
    agrees = f"batches of {sizes}: equal to {max(differences):.0e} of the largest score"
    work = f"one image of {SIDE} x {SIDE} through OpenVINO, bank of {bank_size:,}"
    yield Bar(work, "the same model in torch", ours, theirs, "ms", theirs / ours, "1.2", agrees)


def _fitted(bank_size: int) -> ZooPatchcore:
    apply_seed(0)
    model = ZooPatchcore(image_size=SIDE, bank_size=bank_size).eval()
    for seed in range(-(-bank_size // 4096) + 1):
        model.model.collect(model.pre_processor.transform(_images(4, seed)))
    model.fit()
    return model


def _images(n: int, seed: int) -> Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


if __name__ == "__main__":
    main()
