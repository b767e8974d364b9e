"""`zoo relight`: how a run does under other lights; or copies of pictures under other lights."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.utils.atomic import atomic_path, write_text
from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_home

if TYPE_CHECKING:
    import pandas as pd

HELP = "SegF1 of a run under other lights, as table and plot; or relit copies of pictures"
EPILOG = (
    "SOURCE: a run, or a folder that holds several; table.md, rows.csv and a plot per recipe go to "
    "SOURCE/robustness. Labelled images under the training light are used, without the private "
    "sets. A picture, or a folder of pictures: relit copies go to --out."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "source", type=expand_home, metavar="SOURCE", help="runs or pictures, see below"
    )
    parser.add_argument("--out", type=expand_home, metavar="DIR", help="a new folder")
    parser.add_argument("--families", nargs="+", metavar="NAME", help="default: all six")
    parser.add_argument("--severities", nargs="+", type=int, metavar="N", help="default: 1 to 5")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws the lamps")
    parser.add_argument(
        "--split", default="test_public", metavar="SPLIT", help="runs: which images"
    )
    parser.add_argument("--images", type=int, metavar="N", help="runs: at most N of each object")
    parser.add_argument(
        "--data.root",
        dest="root",
        type=expand_home,
        metavar="DIR",
        help="the data set, if it has moved",
    )
    parser.add_argument("--device", metavar="D", help="such as cpu or cuda:1")


def run(args: argparse.Namespace) -> int:
    """Measure runs, or write copies of pictures."""
    from zoo.data.relight.light import FAMILIES, SEVERITIES, check_family, check_severity
    from zoo.runs.documents import METRICS

    args.families = args.families or list(FAMILIES)
    args.severities = args.severities or list(SEVERITIES)
    for family in args.families:
        check_family(family)
    for severity in args.severities:
        check_severity(severity)
    if args.images is not None and args.images < 1:
        raise ZooError(f"--images is {args.images}: use 1 or more")
    if not args.source.exists():
        raise ZooError(f"there is nothing at {args.source}: give a run, or pictures")
    holds_runs = args.source.is_dir() and any(args.source.rglob(METRICS))
    return _measure(args) if holds_runs else _copies(args)


def _measure(args: argparse.Namespace) -> int:
    from zoo.runs.check import runs_below
    from zoo.runs.folder import ROBUSTNESS, appearing_folder

    runs = runs_below(args.source)
    out = args.out or args.source / ROBUSTNESS
    _check_new(out)

    import pandas as pd

    from zoo.results.aggregate import entry_names
    from zoo.results.robustness import robustness_table
    from zoo.utils.markdown import csv_text

    rows = pd.DataFrame([row for folder in runs for row in _rows(folder, args)])
    rows["recipe"] = entry_names(rows)
    text = robustness_table(rows)
    with appearing_folder(out) as folder:
        write_text(folder / "table.md", text + "\n")
        write_text(folder / "rows.csv", csv_text(rows))
        _plots(rows, folder)
    print(text)
    print(f"\nwritten to {out}")
    return 0


def _rows(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    from zoo.results.robustness import labelled, light_rows, seen_families, under_lights
    from zoo.runs.check import check_run
    from zoo.runs.normal_images import datamodule_of
    from zoo.runs.rebuild import load_run, read_config

    metrics, config = check_run(folder), read_config(folder)
    if args.root is not None:
        config["data"]["init_args"]["root"] = str(args.root)
    samples = labelled(datamodule_of(config), args.split, args.images)
    detector = load_run(folder, args.device)
    scores = under_lights(detector, samples, args.families, args.severities, args.seed)
    seen = seen_families(config, detector.calibration)
    names = metrics["recipe"], metrics["object"]
    settings = metrics.get("settings_hash")
    return light_rows(scores, *names, len(samples), seen, settings)


def _plots(rows: pd.DataFrame, folder: Path) -> None:
    from zoo.results.robustness import plot

    for recipe, part in rows.groupby("recipe"):
        with atomic_path(folder / f"{str(recipe).replace('/', '-')}.png") as aside:
            plot(part, aside)


def _copies(args: argparse.Namespace) -> int:
    """Write every picture under every light: `<out>/<family>_<severity>/<name>.png`."""
    if args.out is None:
        raise ZooError(f"{args.source} holds no run; for relit copies of pictures give --out DIR")
    _check_new(args.out)

    from PIL import Image

    from zoo.data.images import find_bit_depth
    from zoo.data.listing import find_images
    from zoo.results.robustness import relit_copies
    from zoo.runs.folder import appearing_folder
    from zoo.utils.progress import counted

    is_file = args.source.is_file()
    images = [args.source]
    if not is_file:
        found = find_images(args.source)
        images = found.images
        for line in found.notices():
            print(line, file=sys.stderr)
    root = args.source.parent if is_file else args.source
    bit_depth = find_bit_depth(images)
    with appearing_folder(args.out) as folder:
        for index, path in enumerate(counted(images, len(images), "pictures")):
            seed = args.seed + index
            for family, severity, pixels in relit_copies(
                path, args.families, args.severities, seed, bit_depth
            ):
                place = folder / f"{family}_{severity}" / path.relative_to(root).with_suffix(".png")
                place.parent.mkdir(parents=True, exist_ok=True)
                with atomic_path(place) as aside:
                    Image.fromarray(pixels).save(aside)
    n = len(images) * len(args.families) * len(args.severities)
    print(f"{n} pictures written to {args.out}")
    return 0


def _check_new(out: Path) -> None:
    if os.path.lexists(out):  # a link that leads nowhere, too
        raise ZooError(f"{out} exists: move it, or give another folder with --out")
