"""A PatchCore with a 10 % bank beside anomalib's: processor time of fit and test, and accuracy.

    python benchmarks/patchcore_against_anomalib.py --data $ZOO_DATA --object NAME

One process, one thread, the same backbone, layers, images and bank size. Anomalib's coreset would
take hours: a few of its steps are timed and the rest is extrapolated, and its bank is made of the
picks that its procedure makes in its own projection, found by ours (the picks are the same). Rows
go to results/patchcore_against_anomalib.csv.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from anomalib.models import Patchcore
from anomalib.models.components import KCenterGreedy
from bars import Bar, write_table
from torch import Tensor
from zoo_plugins.patchcore import ZooPatchcore

from zoo.data import MVTecAD2Layout
from zoo.methods.memory_bank.coreset import greedy_coreset
from zoo.methods.method import whole_image
from zoo.metrics import PixelScores, image_auroc
from zoo.postprocess import to_native
from zoo.utils.seeding import apply_seed

RESULTS = Path(__file__).parents[1] / "results" / "patchcore_against_anomalib.csv"
BACKBONE, LAYERS, SIDE = "tf_efficientnet_lite0", ["blocks.2", "blocks.4"], 256
SPLIT = "test_public"


def main() -> None:
    """Fit and test both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--object", required=True, metavar="NAME")
    parser.add_argument("--ratio", type=float, default=0.1, help="share of patches in the bank")
    parser.add_argument("--steps", type=int, default=15, help="of anomalib's coreset to time")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = MVTecAD2Layout(root=arguments.data, category=arguments.object)
    transform = whole_image(SIDE, BACKBONE, "embedded").transform
    data.follow(transform)
    for split in ("train", SPLIT):  # the cache is filled for both
        for _ in data.dataloader(split):
            pass
    both = _ours(data, arguments.ratio), _anomalibs(data, arguments.ratio, arguments.steps)
    ours, theirs = both
    bars = []
    for phase in ("fit", "test"):
        against = f"anomalib, {theirs['how']}" if phase == "fit" else "anomalib"
        bars.append(_cpu_bar(phase, against, ours[phase], theirs[phase]))
    total = [side["fit"] + side["test"] for side in both]
    bars.append(_cpu_bar("fit + test", "anomalib", *total, must="10"))
    for name in ("image AUROC", "AU-PRO 0.30"):
        difference = ours[name] - theirs[name]
        bars.append(
            Bar(name, "anomalib", ours[name], theirs[name], "", difference, "not below -0.01")
        )
    command = "python benchmarks/patchcore_against_anomalib.py --data $ZOO_DATA"
    write_table(bars, arguments.out, f"{command} --object {arguments.object}")


def _cpu_bar(phase: str, against: str, ours: float, theirs: float, must: str = "") -> Bar:
    return Bar(f"{phase}, 10 % bank", against, ours, theirs, "s", theirs / ours, must)


def _ours(data: MVTecAD2Layout, ratio: float) -> dict[str, float]:
    apply_seed(0)
    model = ZooPatchcore(
        BACKBONE, "embedded", LAYERS, image_size=SIDE, coreset_sampling_ratio=ratio
    ).eval()
    begin = time.process_time()
    for images in _images(data, "train", model):
        model.model.collect(images)
    model.fit()
    fitted = time.process_time() - begin
    return {"fit": fitted, **_test(data, model)}


def _anomalibs(data: MVTecAD2Layout, ratio: float, steps: int) -> dict[str, float | str]:
    apply_seed(0)
    model = Patchcore(
        "efficientnet_lite0_embedded",
        LAYERS,
        coreset_sampling_ratio=ratio,
        num_neighbors=1,
        pre_processor=whole_image(SIDE, BACKBONE, "embedded"),
    )
    begin = time.process_time()
    model.train()
    for images in _images(data, "train", model):
        model.model(images)
    features = torch.vstack(model.model.embedding_store)
    model.model.embedding_store.clear()
    sampler = KCenterGreedy(features, ratio)
    sampler.model.fit(features)
    sampler.features = sampler.model.transform(features)
    fitted = time.process_time() - begin
    start = torch.randint(len(features), (1,))
    step_s = _seconds(_steps(sampler, start.squeeze()), steps)
    how = f"coreset of {sampler.coreset_size:,} steps extrapolated from {steps}"
    picks = greedy_coreset(sampler.features, sampler.coreset_size, start, keep_start=True)
    model.model.memory_bank = features[picks]
    del sampler
    return {"fit": fitted + step_s * len(picks), "how": how, **_test(data, model.eval())}


def _steps(sampler: KCenterGreedy, start: Tensor) -> Callable[[], None]:
    """Return one step of anomalib's selection loop."""
    index = start

    def step() -> None:
        nonlocal index
        sampler.update_distances(index)
        index = sampler.get_new_idx()
        sampler.min_distances.scatter_(0, index.unsqueeze(0).unsqueeze(1), 0.0)

    return step


def _seconds(step: Callable[[], None], steps: int) -> float:
    step()
    begin = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - begin) / steps


def _images(data: MVTecAD2Layout, split: str, model: torch.nn.Module) -> Iterator[Tensor]:
    for batch in data.dataloader(split):
        yield model.pre_processor.transform(batch.image)


def _test(data: MVTecAD2Layout, model: torch.nn.Module) -> dict[str, float]:
    """Score a split in batches, as a test loop does; only the model is timed."""
    samples = iter(data.listed(SPLIT))
    pixels, scores, labels, spent = PixelScores(), [], [], 0.0
    for batch in data.dataloader(SPLIT):
        begin = time.process_time()
        with torch.no_grad():
            result = model.model(model.pre_processor.transform(batch.image))
        spent += time.process_time() - begin
        results = zip(batch.native_size, result.pred_score, result.anomaly_map, strict=True)
        for native_size, score, score_map in results:
            truth = next(samples).truth(native_size)
            pixels.update(to_native(score_map[0].numpy(), native_size), truth)
            scores.append(float(score))
            labels.append(int(truth.any()))
    return {
        "test": spent,
        "image AUROC": image_auroc(np.array(scores), np.array(labels)),
        "AU-PRO 0.30": pixels.au_pro(0.30),
    }


if __name__ == "__main__":
    main()
