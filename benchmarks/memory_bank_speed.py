"""Coreset, search and patch embedding beside anomalib, brute force and the reference.

    python benchmarks/memory_bank_speed.py [--amazon DIR]

One process, one thread, processor time; the features are random, with the spread of real ones. With
a clone of amazon-science/patchcore-inspection the embedding is measured beside its own code, else
beside the same steps written out here. Rows go to results/memory_bank_speed.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from bars import Bar, cpu_ms, write_table
from torch import Tensor
from torch.nn import functional

from zoo.methods.memory_bank.coreset import coverage_radius, greedy_coreset
from zoo.methods.memory_bank.embedding import PatchEmbedding, PooledConcatenation
from zoo.methods.memory_bank.neighbours import affinity_bias, nearest_neighbour
from zoo.utils.timing import PeakMemory

RESULTS = Path(__file__).parents[1] / "results" / "memory_bank_speed.csv"
N_FEATURES, WIDTH = 409_600, 152  # 400 images of 256 x 256, EfficientNet-Lite0 at strides 8 and 16
N_BANK, N_QUERIES = 40_960, 1024


def main() -> None:
    """Measure all bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amazon", type=Path, metavar="DIR", help="clone of the reference")
    parser.add_argument("--features", type=int, default=N_FEATURES, metavar="N")
    parser.add_argument("--picks", type=int, default=4096, metavar="N", help="1 %% of the features")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="CSV")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    features = _features(arguments.features, seed=0)
    bars = [*_coreset(features, arguments.picks), *_search(features), *_embedding(arguments.amazon)]
    write_table(bars, arguments.out, "python benchmarks/memory_bank_speed.py --amazon DIR")


def _features(n: int, seed: int) -> Tensor:
    """Return rows of falling variance, as principal components of real features have, (n, 152)."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, WIDTH, generator=generator)
    return rows.mul_(torch.arange(1, WIDTH + 1) ** -0.5).add_(1.0)


def _coreset(features: Tensor, n_picks: int) -> Iterator[Bar]:
    torch.manual_seed(0)
    with PeakMemory() as memory:
        before = time.process_time()
        picks = greedy_coreset(features, n_picks, [0], keep_start=True)
        ours = 1e3 * (time.process_time() - before) / n_picks
    size_mb = features.numel() * features.element_size() / 1e6
    share = 1 + (memory.peak_mb - memory.start_mb) / size_mb

    sampler = KCenterGreedy(features, n_picks / len(features))
    sampler.model.fit(features)
    sampler.features = sampler.model.transform(features)
    centre = torch.tensor(0)

    def step() -> None:
        sampler.update_distances(centre)
        index = sampler.get_new_idx()
        sampler.min_distances.scatter_(0, index.unsqueeze(0).unsqueeze(1), 0.0)

    theirs = cpu_ms(step)
    work = f"coreset, {len(features):,} x {WIDTH}, {n_picks:,} picks, one pick"
    same = picks[:50].tolist() == _plain_picks(features, 50)
    agrees = f"{'the same' if same else 'OTHER'} picks as the plain procedure, first 50"
    must = "9 exact, 40 default"
    yield Bar(work, "anomalib, one step", ours, theirs, "ms", theirs / ours, must, agrees)
    radius = coverage_radius(features, picks)
    agrees = f"radius {radius:.4g}"
    yield Bar("coreset, peak memory", "the features", share, 1, "x", share, "at most 1.5", agrees)


def _plain_picks(features: Tensor, n_picks: int) -> list[int]:
    """Return the picks of the procedure as anomalib has it, without its projection."""
    picks, nearest = [0], torch.full((len(features),), torch.inf)
    for _ in range(n_picks - 1):
        nearest = torch.minimum(nearest, (features - features[picks[-1]]).norm(dim=1))
        picks.append(int(nearest.argmax()))
    return picks


def _search(features: Tensor) -> Iterator[Bar]:
    bank, queries = features[:N_BANK].contiguous(), features[-N_QUERIES:].contiguous()
    anomalibs = PatchcoreModel(("layer2",), "resnet18", pre_trained=False)
    anomalibs.memory_bank = bank
    theirs = cpu_ms(lambda: anomalibs.nearest_neighbors(queries, n_neighbors=1))
    truth = torch.cdist(queries.double(), bank.double()).argmin(dim=1)
    work = f"search, bank {N_BANK:,} x {WIDTH}, {N_QUERIES:,} queries"
    bias = affinity_bias(bank)
    ours = cpu_ms(lambda: nearest_neighbour(queries, bank, bias))
    share = float((nearest_neighbour(queries, bank, bias)[1] == truth).float().mean())
    agrees = f"{share:.2%} of the indices of float64 brute force"
    yield Bar(f"{work}, torch", "anomalib", ours, theirs, "ms", theirs / ours, "1.6", agrees)
    product = cpu_ms(lambda: queries @ bank.T)
    yield Bar(f"{work}, the product alone", "anomalib", product, theirs, "ms", theirs / product, "")


def _embedding(amazon: Path | None) -> Iterator[Bar]:
    generator = torch.Generator().manual_seed(0)
    feature_maps = [
        torch.randn(8, 512, 32, 32, generator=generator),
        torch.randn(8, 1024, 16, 16, generator=generator),
    ]
    embed = PatchEmbedding((512, 1024), 1024, 1024)
    ours = cpu_ms(lambda: embed(feature_maps))
    literal = _amazons(amazon) if amazon else _literal
    theirs = cpu_ms(lambda: literal(feature_maps), passes=1)
    rows = embed(feature_maps).permute(0, 2, 3, 1).reshape(-1, 1024)
    difference = float((rows - literal(feature_maps)).abs().max())
    work = "embedding of 8 images of 256 x 256, WideResNet-50-2, 1024 numbers"
    against = "the reference's code" if amazon else "the reference's steps, written out"
    agrees = f"largest difference {difference:.1e}"
    yield Bar(work, against, ours, theirs, "ms", theirs / ours, "20", agrees)

    anomalibs = PatchcoreModel(("layer2", "layer3"), "resnet18", pre_trained=False)

    def pooled() -> Tensor:
        named = zip(anomalibs.layers, feature_maps, strict=True)
        return anomalibs.generate_embedding({k: anomalibs.feature_pooler(v) for k, v in named})

    theirs = cpu_ms(pooled)
    yield Bar(work, "anomalib (1536 numbers)", ours, theirs, "ms", theirs / ours, "1")
    join = PooledConcatenation()
    ours = cpu_ms(lambda: join(feature_maps))
    difference = float((join(feature_maps) - pooled()).abs().max())
    agrees = f"largest difference {difference:.1e}"
    work = "embedding as anomalib's, 1536 numbers"
    yield Bar(work, "anomalib", ours, theirs, "ms", theirs / ours, "1", agrees)


def _literal(feature_maps: list[Tensor]) -> Tensor:
    """The reference's steps: unfold, upsample every neighbourhood, average twice."""
    size, layers = feature_maps[0].shape[-2:], []
    for feature_map in feature_maps:
        batch, channels, height, width = feature_map.shape
        patches = functional.unfold(feature_map, 3, padding=1)
        patches = patches.view(batch, channels * 9, height, width)
        if patches.shape[-2:] != size:
            patches = functional.interpolate(patches, size=size, mode="bilinear")
        rows = patches.permute(0, 2, 3, 1).reshape(-1, 1, channels * 9)
        layers.append(functional.adaptive_avg_pool1d(rows, 1024).squeeze(1))
    rows = torch.stack(layers, dim=1)
    return functional.adaptive_avg_pool1d(rows.flatten(1)[:, None], 1024).squeeze(1)


def _amazons(folder: Path):
    """Return the embedding of a clone of the reference, which is imported and run as it is."""
    sys.path.insert(0, str(folder / "src"))
    sys.modules.setdefault("pretrainedmodels", type(sys)("pretrainedmodels"))  # not needed here
    from patchcore import common, patchcore

    class GivenMaps(torch.nn.Module):
        def forward(self, feature_maps: list[Tensor]) -> dict[str, Tensor]:
            return dict(zip(("layer2", "layer3"), feature_maps, strict=True))

    model = patchcore.PatchCore(torch.device("cpu"))
    model.layers_to_extract_from = ["layer2", "layer3"]
    model.patch_maker = patchcore.PatchMaker(3, stride=1)
    model.forward_modules = torch.nn.ModuleDict(
        {
            "feature_aggregator": GivenMaps(),
            "preprocessing": common.Preprocessing([512, 1024], 1024),
            "preadapt_aggregator": common.Aggregator(1024),
        }
    )
    return lambda feature_maps: model._embed(feature_maps, detach=False)


if __name__ == "__main__":
    main()
