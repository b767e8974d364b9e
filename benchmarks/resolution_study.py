"""SegF1 against input size and tiling, with what it costs.

    python benchmarks/resolution_study.py --data $ZOO_DATA --runs study --objects NAME ...

Every variant is the same recipe with another size of whole images, or with tiles: `--tiles 512:256`
are windows of 512 native pixels that the network sees at 256. The table holds one row per variant
and object, of test_public only: sizes are a choice, and choices are not made on private splits.
Runs are kept: the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import zoo
from zoo.recipes.files import find_recipe
from zoo.utils.plain_yaml import read_yaml
from zoo.utils.process import quiet, return_memory, share_cores

SPLIT = "test_public"
# Which argument of a method says how large whole images are.
SIZES = ("shorter_side", "image_size")


def main() -> None:
    """Run what is missing, and write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--objects", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--recipe", default="superad/embedded")
    parser.add_argument("--sizes", nargs="+", type=int, default=[144, 288, 432], metavar="PX")
    parser.add_argument("--tiles", nargs="*", default=["256:256", "128:256"], metavar="PX:PX")
    parser.add_argument("--set", nargs="*", default=[], metavar="ARG=VALUE", help="of the method")
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    share_cores()
    return_memory()
    quiet()
    folder = args.runs / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    recipes = _variants(args, folder)
    names = [str(recipe) for recipe in recipes.values()]
    runs = zoo.bench(
        names, args.data, objects=args.objects, splits=[SPLIT], out=args.runs, keep="none"
    )
    variant_of = {path.stem: variant for variant, path in recipes.items()}
    table = pd.DataFrame(_row(variant_of[run.metrics["recipe"]], run) for run in runs)
    if args.out:
        table.to_csv(args.out, index=False, float_format="%.4g")
    print(table.to_string(index=False))
    for label, reason in runs.failed:
        print(f"failed: {label}: {reason}")


def _variants(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Write one recipe per variant, and return them by what they vary."""
    base = read_yaml(find_recipe(args.recipe).path)
    arguments = base["model"]["init_args"]
    arguments |= {key: yaml.safe_load(value) for key, _, value in _pairs(args.set)}
    size = next(name for name in SIZES if name in arguments)
    variants: dict[str, dict[str, Any]] = {}
    for side in args.sizes:
        recipe = copy.deepcopy(base)
        recipe["model"]["init_args"][size] = side
        variants[f"whole image, {size} {side}"] = recipe
    for text in args.tiles:
        window, side = (int(part) for part in text.split(":"))
        tiling = {"window": window, "side": side, "overlap": 0.25}
        variants[f"tiles of {window} seen at {side}"] = copy.deepcopy(base) | {"tiling": tiling}
    paths = {}
    for index, (name, recipe) in enumerate(variants.items()):
        words = name.replace(",", "").split()
        paths[name] = folder / f"{index}-{'-'.join(words)}.yaml"
        paths[name].write_text(f"# {name}\n{yaml.safe_dump(recipe)}", encoding="utf-8")
    return paths


def _row(variant: str, run: zoo.Run) -> dict[str, Any]:
    split, cost = run.metrics["splits"][SPLIT], run.cost
    phases = cost["phases"]
    return {
        "object": run.metrics["object"],
        "variant": variant,
        "segf1": split["segf1"],
        "oracle_segf1": split["oracle_segf1"],
        "image_auroc": split["image_auroc"],
        "fit_cpu_s": phases["fit"]["cpu_s"],
        "cpu_ms_per_image": 1e3 * phases[SPLIT]["cpu_s"] / split["n_images"],
        "peak_rss_mb": cost["memory"]["peak_rss_mb"],
    }


def _pairs(texts: list[str]) -> list[tuple[str, str, str]]:
    return [text.partition("=") for text in texts]


if __name__ == "__main__":
    main()
