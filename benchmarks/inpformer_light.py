"""Does training under drawn lights help, also under a light that was never drawn?

    python benchmarks/inpformer_light.py --data $ZOO_DATA --runs DIR
    python benchmarks/inpformer_light.py --data $ZOO_DATA --runs DIR --splits private --out CSV

One recipe is trained twice, with and without `Relight`, which draws from all families of lights but
one. Both are judged light by light: on the photographs as they are (`regular`), under every other
light of the data set, and on the regular photographs under the family that was kept out (`unseen`).
Develop on `test_public`; the private splits are for one report at the end.

A drop is the relative loss of SegF1 from `regular`. Intervals (95 %) resample physical items, all
lights of an item together; without a manifest each scene is an item.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import zoo
from zoo.benchmark.bench import bench
from zoo.data import layout
from zoo.data.images import read_image
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.sample import Sample
from zoo.metrics.ranking import auroc_from_counts
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.files import find_recipe, run_folder
from zoo.utils.plain_yaml import read_yaml
from zoo.utils.process import quiet, return_memory, share_cores

LEFT_OUT, SEVERITY = "shadow", 3
RELIGHT = {
    "class_path": "zoo.data.relight.Relight",
    "init_args": {"preset": "all", "families": [name for name in FAMILIES if name != LEFT_OUT]},
}
VARIANTS = {"without": None, "with": RELIGHT}
SPLITS = {"test_public": ["test_public"], "private": ["test_private", "test_private_mixed"]}
REGULAR, UNSEEN = "regular", f"unseen ({LEFT_OUT})"
_RESAMPLES = 1000


def main() -> None:
    """Train what is missing, judge light by light, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="kept")
    parser.add_argument("--recipe", default="inpformer/embedded")
    parser.add_argument("--objects", nargs="+", metavar="NAME", help="all by default")
    parser.add_argument("--max_steps", type=int, metavar="N", help="another length of training")
    parser.add_argument("--splits", choices=SPLITS, default="test_public")
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    share_cores()
    return_memory()
    quiet()
    recipes = write_variants(args.recipe, args.max_steps, args.runs / "recipes")
    rows = []
    for root in args.data:
        paths = [str(path) for path in recipes.values()]
        splits = SPLITS[args.splits]
        if bench(paths, root, objects=args.objects, splits=splits, out=args.runs).failed:
            raise SystemExit("a run failed; the comparison needs them all")
        for name in args.objects or layout.object_names(root):
            for variant, path in recipes.items():
                detector = zoo.load(run_folder(args.runs, path.stem, name, 0))
                found = judge(detector, root, name, SPLITS[args.splits])
                rows += [{"object": name, "lights in training": variant, **row} for row in found]
                print(f"{name} {variant}: done", flush=True)
    table = pd.DataFrame(rows)
    if args.out:
        table.to_csv(args.out, index=False, float_format="%.4f")
    print(table.round(3).to_string(index=False))
    others = table[table["light"] != REGULAR]
    kind = others["light"].where(others["light"] == UNSEEN, "lights of the data set")
    print("\nmean drop")
    print(others.groupby([kind, "lights in training"])["drop"].mean().round(3).to_string())


def write_variants(recipe: str, max_steps: int | None, folder: Path) -> dict[str, Path]:
    """Write the recipe with and without lights, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found, paths = find_recipe(recipe), {}
    for variant, augmentation in VARIANTS.items():
        settings = read_yaml(found.path)
        settings["data"]["init_args"]["train_augmentations"] = augmentation
        if max_steps:
            settings["trainer"]["max_steps"] = max_steps
        paths[variant] = folder / f"{found.slug}-{variant}.yaml"
        paths[variant].write_text(yaml.safe_dump(settings), encoding="utf-8")
    return paths


@dataclass
class Judged:
    """What came out under one light, image by image.

    Attributes:
        counts: (n, 3) pixels: hits, false alarms, misses.
        scores: (n,) image scores.
        bad: (n,) whether there is a defect.
        items: (n,) the physical items.
    """

    counts: np.ndarray
    scores: np.ndarray
    bad: np.ndarray
    items: np.ndarray

    def figures(self, draws: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return SegF1 and image AUROC for every row of (resamples, items) multiplicities."""
        times = draws[self.items].to_numpy(float)  # (resamples, n)
        hits, wrong, missed = (times @ self.counts).T
        segf1 = 2 * hits / np.maximum(2 * hits + wrong + missed, 1)
        order = np.argsort(self.scores)
        bad = self.bad[order]
        auroc = [auroc_from_counts(row * ~bad, row * bad) for row in times[:, order]]
        return segf1, np.array(auroc, float)


def judge(detector: TorchPredictor, root: Path, name: str, splits: list[str]) -> list[dict]:
    """Return one row per light."""
    lights: dict[str, list[Sample]] = {}
    for split in splits:
        for sample in layout.samples(root, name, split):
            lights.setdefault(sample.image_path.stem.partition("_")[2], []).append(sample)
    item_of = _items(root, name)
    judged = {
        light: _judged(detector, samples, item_of, light == UNSEEN)
        for light, samples in {**lights, UNSEEN: lights[REGULAR]}.items()
    }
    items = np.unique(np.concatenate([each.items for each in judged.values()]))
    draws = pd.DataFrame(list(_resampled(len(items))), columns=items)
    regular, _ = judged[REGULAR].figures(draws)
    rows = []
    for light, each in sorted(judged.items(), key=lambda pair: pair[0] != REGULAR):
        segf1, auroc = each.figures(draws)
        drop = 1 - segf1 / np.where(regular > 0, regular, np.nan)
        row: dict[str, object] = {"light": light, "n_images": len(each.bad)}
        for figure, values in (("segf1", segf1), ("image_auroc", auroc), ("drop", drop)):
            low, high = np.nanquantile(values[1:], [0.025, 0.975])
            row |= {figure: values[0], f"{figure}_low": low, f"{figure}_high": high}
        rows.append(row)
    return rows


def _judged(detector: TorchPredictor, samples: list[Sample], item_of: dict, unseen: bool) -> Judged:
    images = (read_image(sample.image_path) for sample in samples)
    if unseen:
        images = (
            relight_image(pixels, Light(LEFT_OUT, SEVERITY, index))
            for index, pixels in enumerate(images)
        )
    counts, scores, bad = [], [], []
    for sample, found in zip(samples, detector.predict(images), strict=True):
        truth = sample.truth(found.mask.shape)
        hits = np.count_nonzero(found.mask & truth)
        counts.append((hits, found.mask.sum() - hits, truth.sum() - hits))
        scores.append(found.score)
        bad.append(bool(truth.any()))
    items = [item_of.get(sample.image_path, _scene(sample.image_path)) for sample in samples]
    return Judged(np.array(counts, float), np.array(scores), np.array(bad), np.array(items))


def _items(root: Path, name: str) -> dict[Path, str]:
    """Return the physical item of every image that a manifest lists."""
    if not (root / "manifest.csv").is_file():
        return {}
    table = pd.read_csv(root / "manifest.csv", dtype=str)
    own = table[table["object"] == name]
    return {
        root / name / split / file: group
        for split, file, group in zip(own["split"], own["file"], own["group"], strict=True)
    }


def _scene(path: Path) -> str:
    """Return the name that all lights of a scene share."""
    return f"{path.parent.name.removesuffix('_mixed')}/{path.stem.partition('_')[0]}"


def _resampled(n_items: int) -> Iterator[np.ndarray]:
    """Yield how often each item counts: once each, then in every resample."""
    yield np.ones(n_items, int)
    generator = np.random.default_rng(0)
    for _ in range(_RESAMPLES):
        yield np.bincount(generator.integers(0, n_items, n_items), minlength=n_items)


if __name__ == "__main__":
    main()
